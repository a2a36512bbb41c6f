/** How probes reach into pods. The simulator answers from its pods; the machine with sockets. Every method rejects on failure. */
export interface ProbeWire {
  tcp(host: string, port: number, timeoutMs: number): Promise<void>;
  http(request: HttpProbeRequest): Promise<{ readonly status: number }>;
  /** `SERVING`, `NOT_SERVING`, `UNKNOWN` or `SERVICE_UNKNOWN` of the published gRPC health protocol. */
  grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<string>;
}

export interface HttpProbeRequest {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly timeoutMs: number;
  /** More of the body is not read. */
  readonly bodyBytesMax: number;
}
