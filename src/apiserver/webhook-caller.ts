import type { WebhookClientConfig } from "#api/generated/admissionregistration-v1.ts";

export type WebhookReply =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly problem: string };

/** The way to webhooks that are no admission: conversions of custom resources. Whoever puts the server together gives it. */
export interface WebhookCaller {
  /**
   * Posts a JSON document to the URL or Service of `config` and reads the answer, within `timeoutSeconds` and a bound on its
   * bytes. Never rejects; `problem` may be shown to clients.
   */
  call(config: WebhookClientConfig, document: Record<string, unknown>, timeoutSeconds: number): Promise<WebhookReply>;
}
