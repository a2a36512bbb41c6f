export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | string;
  /** The process is killed (SIGKILL) after this time. */
  readonly timeoutMs?: number;
  /** Output beyond this is cut off. Default 1 MiB for each stream. */
  readonly outputBytesMax?: number;
}

export interface ProcessResult {
  /** Exit code; undefined when a signal or the time limit ended the process. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs beside us. */
export interface ChildProcess {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ code: number | undefined; signal: string | undefined }>;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGINT" | "SIGUSR2"): void;
}

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** File that standard output and error are appended to. */
  readonly logFile: string;
  /** The process lives on when we end. */
  readonly detached?: boolean;
  /** The network namespace to start in, as a path (`/run/netns/x`); mounts and cgroups stay ours. */
  readonly networkNamespace?: string;
}

/** Other programs. Arguments are passed as they are: no shell is involved. */
export interface Processes {
  run(command: string, args: readonly string[], options?: ProcessOptions): Promise<ProcessResult>;
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Sends a signal to a process that we did not start ourselves in this life. False when it no longer exists. */
  signal(pid: number, signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGUSR2" | 0): boolean;
}
