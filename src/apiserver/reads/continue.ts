import { badRequest, expired, Failure } from "../failure.ts";

/** Where a list goes on: the snapshot's revision and the first key that was not sent. */
export interface ContinuePoint {
  /** 0: whatever is newest: the list goes on inconsistently after its snapshot was lost. */
  readonly revision: number;
  /** Relative to the listed prefix. */
  readonly start: string;
}

const inconsistentMessage =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue " +
  "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided " +
  "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was " +
  "returned and now may show up in the list.";

/** The opaque token of a point. */
export function encodeContinue(point: ContinuePoint): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ v: 1, rv: point.revision, start: point.start }));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Reads a token; its start cannot leave the prefix, because it is only ever put behind it. */
export function decodeContinue(token: string): ContinuePoint | Failure {
  try {
    const binary = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
    const text = new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
    const { v, rv, start } = JSON.parse(text) as { v?: unknown; rv?: unknown; start?: unknown };
    if (
      v === 1 &&
      typeof rv === "number" &&
      Number.isSafeInteger(rv) &&
      0 <= rv &&
      typeof start === "string" &&
      start !== ""
    ) {
      return { revision: rv, start };
    }
  } catch {
    // Whatever it was, it was no token of ours.
  }
  return badRequest("continue key is not valid: the token was not issued by this server");
}

/** 410 with a token that goes on at the newest state. */
export function continueExpired(point: ContinuePoint): Failure {
  return expired(inconsistentMessage, encodeContinue({ revision: 0, start: point.start }));
}
