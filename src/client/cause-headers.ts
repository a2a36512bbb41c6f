import { decodePercent } from "#base/percent.ts";
import type { Cause } from "./client.ts";
import { limits } from "./limits.ts";

/** The headers in which a write says why it happens; texts are percent-encoded and cut to `causeHeaderBytesMax` bytes. */
export function causeHeaders(cause: Cause | undefined): Record<string, string> {
  if (cause === undefined) return {};
  const headers: Record<string, string> = {
    "steersman-actor": bounded(cause.actor),
    "steersman-rule": bounded(cause.rule),
  };
  if (cause.because !== undefined) headers["steersman-because"] = bounded(cause.because);
  if (cause.epoch !== undefined)
    headers["steersman-epoch"] = `${encodeURIComponent(cause.epoch.leader)}/${cause.epoch.number}`;
  return headers;
}

/** Reads the headers back; undefined when the request carries no cause. Broken encodings are kept as they came. */
export function readCause(headers: Readonly<Record<string, string>>): Cause | undefined {
  const actor = headers["steersman-actor"];
  const rule = headers["steersman-rule"];
  if (actor === undefined || rule === undefined) return undefined;
  const because = headers["steersman-because"];
  const epoch = readEpoch(headers["steersman-epoch"]);
  return {
    actor: decoded(actor),
    rule: decoded(rule),
    ...(because === undefined ? {} : { because: decoded(because) }),
    ...(epoch === undefined ? {} : { epoch }),
  };
}

function readEpoch(text: string | undefined): { leader: string; number: number } | undefined {
  const match = text === undefined ? null : /^([^/]{1,300})\/([0-9]{1,15})$/.exec(text);
  return match === null ? undefined : { leader: decoded(match[1]!), number: Number(match[2]) };
}

function bounded(text: string): string {
  let encoded = encodeURIComponent(text.toWellFormed());
  if (encoded.length <= limits.causeHeaderBytesMax) return encoded;
  // Cut whole characters: a percent sequence cut in half could not be decoded.
  let kept = "";
  for (const character of text.toWellFormed()) {
    const next = encodeURIComponent(character);
    if (kept.length + next.length > limits.causeHeaderBytesMax) break;
    kept += next;
  }
  encoded = kept;
  return encoded;
}

function decoded(text: string): string {
  return decodePercent(text) ?? text;
}
