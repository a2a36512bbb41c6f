import type { JsonResult } from "#codec/json.ts";
import { stringifyYaml, yamlSteps } from "#codec/yaml.ts";
import { bytesOf } from "./bytes.ts";

/** Reads one YAML document as `parseJson` reads JSON, with pauses. */
export function* readYamlSteps(body: Uint8Array): Generator<void, JsonResult> {
  const parsed = yield* yamlSteps(body);
  if (!parsed.ok) return { ok: false, message: parsed.message, offset: 0 };
  return { ok: true, value: parsed.documents[0], duplicates: parsed.duplicates };
}

export function encodeYaml(value: unknown): Uint8Array {
  return bytesOf(stringifyYaml(value));
}
