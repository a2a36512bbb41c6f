import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { rm } from "node:fs/promises";
import { frame, readFrames, statusCodes } from "./grpc.ts";
import { ContainerRuntimeError } from "../container-runtime.ts";

/** One answer for one request. Rejects with what the caller is told. */
export type UnaryMethod = (request: Uint8Array) => Promise<Uint8Array>;

/** Serves gRPC methods with one request and one answer on a Unix socket, in place of what is there. */
export async function serveGrpc(
  socketPath: string,
  methods: ReadonlyMap<string, UnaryMethod>,
): Promise<{ close(): Promise<void> }> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    // A caller that breaks off ends its own calls.
    session.on("error", () => session.destroy());
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const path = String(headers[":path"] ?? "");
    answer(stream, path, methods.get(path));
  });
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve());
      }),
  };
}

function answer(stream: ServerHttp2Stream, path: string, method: UnaryMethod | undefined): void {
  let isAnswered = false;
  const refuse = (status: number, message: string): void => {
    if (isAnswered || stream.destroyed) return;
    isAnswered = true;
    const trailers = { "grpc-status": String(status), "grpc-message": encodeURIComponent(message) };
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
  };
  const give = (bytes: Uint8Array): void => {
    if (isAnswered || stream.destroyed) return;
    isAnswered = true;
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(frame(bytes));
  };
  stream.on("error", () => stream.close(constants.NGHTTP2_CANCEL));
  if (method === undefined) return refuse(statusCodes.indexOf("Unimplemented"), `unknown method ${path}`);
  let isCalled = false;
  const message = (bytes: Uint8Array): void => {
    if (isCalled) return;
    isCalled = true;
    method(bytes).then(give, (error: unknown) =>
      refuse(statusCodes.indexOf("Unknown"), error instanceof Error ? error.message : String(error)),
    );
  };
  readFrames(stream, message, (error: ContainerRuntimeError) => refuse(statusCodes.indexOf(error.code), error.message));
}
