import type { ConfigMap, KeyToPath, Pod, ProjectedVolumeSource, Secret, Volume } from "#api/generated/core-v1.ts";
import { downwardField, downwardResource, type DownwardFacts } from "../pods/downward.ts";
import { decodeBytes } from "../pods/environment.ts";

/** A file to appear in a volume. */
export interface PayloadFile {
  readonly content: Uint8Array;
  readonly mode: number;
}

/** By path below the volume. */
export type Payload = Map<string, PayloadFile>;

/** The volume cannot be made now: what it needs is missing or malformed. */
export class VolumeError extends Error {
  override readonly name = "VolumeError";
}

export interface PayloadInputs {
  readonly configMap: (name: string) => Promise<ConfigMap | undefined>;
  readonly secret: (name: string) => Promise<Secret | undefined>;
  readonly token: (source: { readonly audience: string; readonly expirationSeconds: number }) => Promise<string>;
  readonly facts: DownwardFacts;
  /** Somebody other than root has to read tokens: their mode is 0600 with an owner instead of the volume's. */
  readonly ownedTokens: boolean;
}

const encoder = new TextEncoder();
const defaultMode = 0o644;

/** Files of a configMap, secret, downwardAPI or projected volume; undefined for other sources. Rejects with `VolumeError`. */
export async function payloadOf(pod: Pod, volume: Volume, inputs: PayloadInputs): Promise<Payload | undefined> {
  const payload: Payload = new Map();
  if (volume.configMap !== undefined) {
    const { name = "", items, optional = false, defaultMode: mode = defaultMode } = volume.configMap;
    addConfigMap(payload, await inputs.configMap(name), {
      name,
      items,
      optional,
      mode,
      namespace: pod.metadata.namespace ?? "",
    });
  } else if (volume.secret !== undefined) {
    const { secretName = "", items, optional = false, defaultMode: mode = defaultMode } = volume.secret;
    addSecret(payload, await inputs.secret(secretName), {
      name: secretName,
      items,
      optional,
      mode,
      namespace: pod.metadata.namespace ?? "",
    });
  } else if (volume.downwardAPI !== undefined) {
    addDownward(
      payload,
      pod,
      volume.downwardAPI.items ?? [],
      volume.downwardAPI.defaultMode ?? defaultMode,
      inputs.facts,
    );
  } else if (volume.projected !== undefined) await addProjected(payload, pod, volume.projected, inputs);
  else return undefined;
  for (const path of payload.keys()) checkPath(path);
  return payload;
}

interface KeyedSource {
  readonly name: string;
  readonly namespace: string;
  readonly items: readonly KeyToPath[] | undefined;
  readonly optional: boolean;
  readonly mode: number;
}

function addConfigMap(payload: Payload, object: ConfigMap | undefined, source: KeyedSource): void {
  if (object === undefined && !source.optional) throw new VolumeError(`configmap "${source.name}" not found`);
  const entries = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(object?.data ?? {})) entries.set(key, encoder.encode(text));
  for (const [key, bytes] of Object.entries(object?.binaryData ?? {})) entries.set(key, decodeBytes(bytes));
  addKeys(payload, entries, source);
}

function addSecret(payload: Payload, object: Secret | undefined, source: KeyedSource): void {
  if (object === undefined && !source.optional) throw new VolumeError(`secret "${source.name}" not found`);
  addKeys(
    payload,
    new Map(Object.entries(object?.data ?? {}).map(([key, bytes]) => [key, decodeBytes(bytes)])),
    source,
  );
}

function addKeys(payload: Payload, entries: ReadonlyMap<string, Uint8Array>, source: KeyedSource): void {
  if (source.items === undefined || source.items.length === 0) {
    for (const [key, content] of entries) payload.set(key, { content, mode: source.mode });
    return;
  }
  for (const item of source.items) {
    const content = entries.get(item.key);
    if (content !== undefined) payload.set(item.path, { content, mode: item.mode ?? source.mode });
    else if (!source.optional) throw new VolumeError(`references non-existent config key: ${item.key}`);
  }
}

type DownwardItems = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>;

function addDownward(payload: Payload, pod: Pod, items: DownwardItems, mode: number, facts: DownwardFacts): void {
  for (const item of items) {
    const text =
      item.fieldRef !== undefined
        ? downwardField(pod, item.fieldRef.fieldPath, facts)
        : item.resourceFieldRef === undefined
          ? ""
          : downwardResource(pod, item.resourceFieldRef, undefined, facts);
    payload.set(item.path, { content: encoder.encode(text ?? ""), mode: item.mode ?? mode });
  }
}

async function addProjected(
  payload: Payload,
  pod: Pod,
  projected: ProjectedVolumeSource,
  inputs: PayloadInputs,
): Promise<void> {
  const mode = projected.defaultMode ?? defaultMode;
  const namespace = pod.metadata.namespace ?? "";
  for (const source of projected.sources ?? []) {
    if (source.configMap !== undefined) {
      const { name = "", items, optional = false } = source.configMap;
      addConfigMap(payload, await inputs.configMap(name), { name, items, optional, mode, namespace });
    } else if (source.secret !== undefined) {
      const { name = "", items, optional = false } = source.secret;
      addSecret(payload, await inputs.secret(name), { name, items, optional, mode, namespace });
    } else if (source.downwardAPI !== undefined)
      addDownward(payload, pod, source.downwardAPI.items ?? [], mode, inputs.facts);
    else if (source.serviceAccountToken !== undefined) {
      const { audience = "", expirationSeconds = 3600, path } = source.serviceAccountToken;
      const token = await inputs.token({ audience, expirationSeconds });
      payload.set(path, { content: encoder.encode(token), mode: inputs.ownedTokens ? 0o600 : mode });
    } else throw new VolumeError("a projected source of this kind is not supported on this node");
  }
}

/** What validation promises already; a file outside the volume must not even be possible. */
function checkPath(path: string): void {
  const parts = path.split("/");
  if (
    path === "" ||
    path.startsWith("/") ||
    parts.includes("..") ||
    parts.includes("") ||
    (parts[0] ?? "").startsWith("..")
  ) {
    throw new VolumeError(`path "${path}" must stay inside the volume`);
  }
}
