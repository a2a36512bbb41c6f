/** What a process can say about itself. */
export interface OwnProcess {
  measure(): {
    /** User and system time since the start. */
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    readonly virtualBytes: number;
    readonly heapUsedBytes: number;
    readonly openFiles: number;
    readonly openFilesMax: number;
    /** Since 1970. */
    readonly startedAtSeconds: number;
  };
}
