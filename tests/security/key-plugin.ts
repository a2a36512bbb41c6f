/** A key management service as a vendor writes it: the published protocol over a Unix socket, keys that never leave it. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { decode, messages, PluginServer, texts, type Message } from "../node/plugins.ts";

const service = "/v2.KeyManagementService/";

/** What a plugin that lies answers in place of the truth, by method. */
export type Lies = Readonly<Record<string, (truth: Message) => Message | Error | { stream: (send: Send) => void }>>;
type Send = (message: Message) => void;

export class TestKeyPlugin {
  readonly path: string;
  readonly #keys = new Map<string, Buffer>();
  #server: PluginServer | undefined;
  /** The key that seals. */
  keyId = "";
  lies: Lies = {};

  constructor(path: string, keyId: string) {
    this.path = path;
    this.use(keyId);
  }

  /** From now on this key seals; those before it open. */
  use(keyId: string): void {
    this.keyId = keyId;
    this.#keys.set(keyId, this.#keys.get(keyId) ?? randomBytes(32));
  }

  forget(keyId: string): void {
    this.#keys.delete(keyId);
  }

  async start(): Promise<void> {
    this.#server = await PluginServer.listen(this.path, (method, request) => {
      const name = method.slice(service.length);
      const truth = this.#answer(name, request);
      const lie = this.lies[name];
      return lie === undefined || truth instanceof Error ? truth : lie(truth);
    });
  }

  stop(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  calls(name: string): number {
    return (this.#server?.calls ?? []).filter(({ method }) => method === `${service}${name}`).length;
  }

  #answer(name: string, request: Buffer): Message | Error {
    if (name === "Status") return { 1: "v2", 2: "ok", 3: this.keyId };
    const [bytes = Buffer.alloc(0)] = messages(request, 1);
    if (name === "Encrypt") return this.#encrypt(bytes);
    if (name === "Decrypt") return this.#decrypt(bytes, texts(request, 3)[0] ?? "", messages(request, 4));
    return new Error(`no such method: ${name}`);
  }

  #encrypt(plaintext: Buffer): Message {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#keys.get(this.keyId)!, nonce);
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    // Its nonce comes back with what it has sealed, or it cannot open it.
    return { 1: ciphertext, 2: this.keyId, 3: [{ 1: "nonce.kms.example.com", 2: nonce }] };
  }

  #decrypt(ciphertext: Buffer, keyId: string, annotations: readonly Buffer[]): Message | Error {
    const key = this.#keys.get(keyId);
    const nonce = annotations.map((each) => decode(each)).find((each) => String(each.get(1)?.[0]).startsWith("nonce."));
    if (key === undefined) return new Error(`there is no key ${keyId}`);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce?.get(2)?.[0] as Buffer);
    decipher.setAuthTag(ciphertext.subarray(-16));
    try {
      return { 1: Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]) };
    } catch (error) {
      return error as Error;
    }
  }
}
