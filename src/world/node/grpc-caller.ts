import type { CallOptions, GrpcChannel } from "./grpc.ts";
import { decodeMessage, encodeMessage, type Message } from "./proto/wire.ts";

/** Calls of one service on one socket, as values; each may have options of its own. */
export function callerOf(channel: GrpcChannel, service: string, usual: CallOptions) {
  return async <T>(
    method: string,
    request: Message,
    value: object,
    response: Message,
    options: Partial<CallOptions> = {},
  ) =>
    decodeMessage<T>(
      response,
      await channel.unary(`/${service}/${method}`, encodeMessage(request, value), { ...usual, ...options }),
    );
}
