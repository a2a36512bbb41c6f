import type { JsonResult } from "#codec/json.ts";
import { parseYaml, stringifyYaml } from "#codec/yaml.ts";
import { bytesOf } from "./bytes.ts";

/** Reads one YAML document as `parseJson` reads JSON. */
export function readYaml(body: Uint8Array): JsonResult {
  const parsed = parseYaml(body);
  if (!parsed.ok) return { ok: false, message: parsed.message, offset: 0 };
  return { ok: true, value: parsed.documents[0], duplicates: parsed.duplicates };
}

export function encodeYaml(value: unknown): Uint8Array {
  return bytesOf(stringifyYaml(value));
}
