import type { KeyServiceStatus, OpenKeyService, SealedSecret } from "../key-service.ts";
import { callerOf } from "./grpc-caller.ts";
import { GrpcChannel } from "./grpc.ts";
import * as wire from "./proto/key-service.ts";

/** The largest answer of the protocol has a secret of 1 KiB and annotations of 32 KiB. */
const answerBytesMax = 64 * 1024;

/** A key management service on this machine, spoken to over its Unix socket. */
export const openKeyService: OpenKeyService = (socketPath, timeoutMs) => {
  const channel = new GrpcChannel(socketPath);
  const call = callerOf(channel, "v2.KeyManagementService", { timeoutMs, answerBytesMax });
  return {
    status: () => call<KeyServiceStatus>("Status", wire.statusRequest, {}, wire.statusResponse),
    encrypt: (plaintext, uid) =>
      call<SealedSecret>("Encrypt", wire.encryptRequest, { plaintext, uid }, wire.encryptResponse),
    decrypt: async (sealed, uid) => {
      const request = { ...sealed, uid };
      const { plaintext } = await call<{ plaintext: Uint8Array }>(
        "Decrypt",
        wire.decryptRequest,
        request,
        wire.decryptResponse,
      );
      return plaintext;
    },
    close: () => channel.close(),
  };
};
