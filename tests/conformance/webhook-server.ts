import https from "node:https";
import type { AddressInfo } from "node:net";
import { selfSigned } from "./certificate.ts";
import type { Json, Scene } from "./cluster.ts";

export type Review = (request: Json) => Json | Promise<Json>;

export interface WebhookServer {
  /** Paths with the reviews that were sent there. */
  readonly seen: { readonly path: string; readonly request: Json; readonly url: string }[];
  /** clientConfig of a webhook at a path. */
  at(path: string): Json;
}

export const allowed = { allowed: true };

export function denied(message: string): Json {
  return { allowed: false, status: { message, reason: "Denied", code: 403 } };
}

export function patching(...operations: Json[]): Json {
  return { allowed: true, patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(operations)).toString("base64") };
}

/** A server of the test's own on loopback that answers reviews; it ends with the test. */
export async function serveWebhooks(scene: Scene, answers: Readonly<Record<string, Review>>): Promise<WebhookServer> {
  const { cluster, cleanUp } = scene;
  const { cert, key } = selfSigned(cluster, "IP:127.0.0.1");
  const seen: { path: string; request: Json; url: string }[] = [];
  const server = https.createServer({ cert, key }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      void (async () => {
        const review = JSON.parse(Buffer.concat(chunks).toString()) as Json;
        const url = incoming.url ?? "";
        const path = url.split("?")[0] ?? "";
        const request = (review.request ?? {}) as Json;
        seen.push({ path, request, url });
        const answer = { uid: request.uid, ...(await answers[path]?.(request)) };
        const response = review.kind === "ConversionReview" ? { ...answer, result: { status: "Success" } } : answer;
        outgoing.setHeader("content-type", "application/json");
        outgoing.end(JSON.stringify({ apiVersion: review.apiVersion, kind: review.kind, response }));
      })();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  cleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    seen,
    at: (path) => ({ url: `https://127.0.0.1:${port}${path}`, caBundle: cert.toString("base64") }),
  };
}

export function objectOf(request: Json): Json {
  return (request.object ?? request.oldObject ?? {}) as Json;
}
