import type { WebhookClientConfig } from "#api/generated/admissionregistration-v1.ts";
import { encodeJson } from "#codec/json.ts";
import type { Timers } from "#world/clock.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Random } from "#world/random.ts";
import { textFromBase64 } from "../../authenticate/base64.ts";
import { resolveService } from "../../connect/endpoints.ts";
import { readWhole } from "../../connect/read-whole.ts";
import type { Destination, NodeConnector } from "../../node-connector.ts";
import type { ObjectReader } from "../../object-reader.ts";
import { webhookAnswerBytesMax } from "./limits.ts";

export interface CallerParts {
  readonly objects: ObjectReader;
  readonly dial: NonNullable<NodeConnector["dial"]> | undefined;
  readonly timers: Pick<Timers, "after">;
  readonly random: Pick<Random, "float">;
}

export type WebhookReply =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly problem: string };

interface Target {
  readonly destination: Destination;
  readonly path: string;
  /** As messages name it. */
  readonly url: string;
}

/** Posts a document to a webhook and reads its answer, within `timeoutSeconds`. Never rejects. */
export async function callWebhook(
  parts: CallerParts,
  config: WebhookClientConfig,
  document: Record<string, unknown>,
  timeoutSeconds: number,
): Promise<WebhookReply> {
  const target = targetOf(parts, config);
  if (typeof target === "string") return { ok: false, problem: target };
  const { destination, path, url } = target;
  const { dial } = parts;
  if (dial === undefined) return { ok: false, problem: `Post "${url}": this server has no way to it` };
  const separator = path.includes("?") ? "&" : "?";
  const abort = new AbortController();
  const request = {
    method: "POST",
    target: `${path}${separator}timeout=${timeoutSeconds}s`,
    headers: { "content-type": "application/json", accept: "application/json" },
    body: encodeJson(document),
    signal: abort.signal,
  };
  const shown = `Post "${url}${separator}timeout=${timeoutSeconds}s"`;
  const answered = dial(destination, request).then(
    (response) => readAnswer(response, shown),
    // What went wrong below is for the log: it may tell about networks that are not the caller's business.
    (error: unknown): WebhookReply => ({ ok: false, problem: `${shown}: ${describe(error)}` }),
  );
  const late = new Promise<WebhookReply>((resolve) => {
    const timer = parts.timers.after(timeoutSeconds * 1000, () => {
      abort.abort();
      resolve({ ok: false, problem: `${shown}: context deadline exceeded` });
    });
    void answered.finally(() => timer.cancel());
  });
  return await Promise.race([answered, late]);
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED") return "connect: connection refused";
  if (code.startsWith("ERR_TLS") || code.includes("CERT")) return "tls: failed to verify certificate";
  if (error instanceof Error && error.message.startsWith("address not allowed")) return "address not allowed";
  return "no answer";
}

async function readAnswer(response: HttpResponse, shown: string): Promise<WebhookReply> {
  const body = await readWhole(response, webhookAnswerBytesMax);
  if (body === undefined) return { ok: false, problem: `${shown}: the answer is broken or too long` };
  if (response.status < 200 || 300 <= response.status) {
    return { ok: false, problem: `${shown}: the server answered ${response.status}` };
  }
  return { ok: true, body };
}

function targetOf(parts: CallerParts, { url, service, caBundle }: WebhookClientConfig): Target | string {
  const ca = caBundle === undefined || caBundle === "" ? undefined : textFromBase64(caBundle);
  if (service !== undefined) {
    const { namespace, name, path = "/", port = 443 } = service;
    const resolved = resolveService(parts.objects, namespace, name, port);
    if (!resolved.ok) return resolved.message;
    const endpoint = resolved.endpoints[Math.floor(parts.random.float() * resolved.endpoints.length)];
    if (endpoint === undefined) return `no endpoints available for service "${name}"`;
    const serverName = `${name}.${namespace}.svc`;
    const destination: Destination = { scheme: "https", ...endpoint, serverName, ...(ca !== undefined && { ca }) };
    const absolute = path.startsWith("/") ? path : `/${path}`;
    return { destination, path: absolute, url: `https://${serverName}:${port}${absolute}` };
  }
  let parsed: URL;
  try {
    parsed = new URL(url ?? "");
  } catch {
    return "the webhook has neither a service nor a valid url";
  }
  const destination: Destination = {
    scheme: "https",
    host: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? 443 : Number(parsed.port),
    ...(ca !== undefined && { ca }),
  };
  return { destination, path: `${parsed.pathname}${parsed.search}`, url: url ?? "" };
}
