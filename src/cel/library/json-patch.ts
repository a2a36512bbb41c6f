import { global, type Overload } from "../library.ts";
import { string } from "../types.ts";

/** What expressions that make JSON patches need. */
export const jsonPatchLibrary: readonly Overload[] = [
  global("jsonpatch.escapeKey", [string], string, (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1")),
];
