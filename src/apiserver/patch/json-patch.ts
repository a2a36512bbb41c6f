import { stringifyJson } from "#codec/json.ts";
import { cloneValue, isEqualValue, isRecord } from "#codec/record.ts";
import { jsonPatchCopyBytesMax, jsonPatchOperationsMax, jsonPatchShiftsMax } from "./limits.ts";
import { PatchError, patched, type PatchResult } from "./result.ts";
import { shown } from "../objects/shown.ts";

interface Operation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  readonly from: string;
  readonly value: unknown;
}

const names: ReadonlySet<unknown> = new Set(["add", "remove", "replace", "move", "copy", "test"]);

/** Applies a JSON Patch (RFC 6902) to a copy of `document`. 400: no patch; 413: too large; 422: it does not apply. */
export function applyJsonPatch(document: unknown, operations: unknown): PatchResult {
  return patched(() => {
    const list = readOperations(operations);
    const patch = new JsonPatch(cloneValue(document));
    for (const operation of list) patch.apply(operation);
    return patch.document;
  });
}

function readOperations(value: unknown): Operation[] {
  if (!Array.isArray(value)) {
    const what = isRecord(value) ? "object" : value === null ? "null" : typeof value;
    throw new PatchError(400, `json: cannot unmarshal ${what} into Go value of type jsonpatch.Patch`);
  }
  if (value.length > jsonPatchOperationsMax) {
    const message = `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${value.length}`;
    throw new PatchError(413, message);
  }
  return value.map(readOperation);
}

function readOperation(value: unknown): Operation {
  if (!isRecord(value))
    throw new PatchError(400, "json: cannot unmarshal value into Go value of type jsonpatch.Operation");
  const { op, path, from } = value;
  if (!names.has(op)) throw new PatchError(422, `Unexpected kind: ${typeof op === "string" ? op : "unknown"}`);
  if (typeof path !== "string")
    throw new PatchError(422, `${shown(op)} operation failed to decode path: missing value`);
  if ((op === "move" || op === "copy") && typeof from !== "string") {
    throw new PatchError(422, `${op} operation failed to decode from: missing value`);
  }
  const needsValue = op === "add" || op === "replace";
  if (needsValue && value["value"] === undefined) throw new PatchError(422, `${op} operation missing value field`);
  return { op: op as Operation["op"], path, from: typeof from === "string" ? from : "", value: value["value"] };
}

type Container = unknown[] | Record<string, unknown>;

class JsonPatch {
  document: unknown;
  private copiedBytes = 0;
  private shifts = 0;

  constructor(document: unknown) {
    this.document = document;
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case "add":
        this.add("add", operation.path, cloneValue(operation.value));
        return;
      case "remove":
        this.remove("remove", operation.path);
        return;
      case "replace":
        this.replace(operation.path, cloneValue(operation.value));
        return;
      case "move": {
        const value = this.remove("move", operation.from);
        this.add("move", operation.path, value);
        return;
      }
      case "copy":
        this.copy(operation);
        return;
      case "test":
        this.test(operation.path, operation.value);
    }
  }

  private copy({ from, path }: Operation): void {
    const value = this.get("copy", from);
    this.copiedBytes += stringifyJson(value).length;
    if (this.copiedBytes > jsonPatchCopyBytesMax) {
      const message = `Unable to complete the copy, the accumulated size increase of copy is ${this.copiedBytes}`;
      throw new PatchError(413, `${message}, exceeding the limit ${jsonPatchCopyBytesMax}`);
    }
    this.add("copy", path, cloneValue(value));
  }

  private test(path: string, expected: unknown): void {
    const failed = new PatchError(422, `testing value ${path} failed: test failed`);
    const wanted = expected === undefined ? null : expected;
    const parent = path === "" ? undefined : this.parentOf("test", path);
    const actual = parent === undefined ? this.document : lookUp(parent.container, parent.key);
    if (actual === undefined && wanted === null) return;
    if (actual === undefined && isRecord(parent?.container)) {
      throw new PatchError(422, `error in test for path: '${path}': testing value ${path} failed: test failed`);
    }
    if (!isEqualValue(actual, wanted)) throw failed;
  }

  private get(op: string, path: string): unknown {
    if (path === "") return this.document;
    const { container, key } = this.parentOf(op, path);
    const value = lookUp(container, key);
    if (value === undefined) throw new PatchError(422, `error in ${op} for path: '${path}': missing value`);
    return value;
  }

  private add(op: string, path: string, value: unknown): void {
    if (path === "") {
      this.document = value;
      return;
    }
    const { container, key } = this.parentOf(op, path);
    if (!Array.isArray(container)) {
      container[key] = value;
      return;
    }
    if (key === "-") {
      container.push(value);
      return;
    }
    const index = indexOf(op, path, key, container.length);
    if (index > container.length) throw invalidIndex(op, path, key);
    this.shift(container.length - index);
    container.splice(index, 0, value);
  }

  private remove(op: string, path: string): unknown {
    if (path === "")
      throw new PatchError(422, `${op} operation does not apply: doc is missing path: "": missing value`);
    const { container, key } = this.parentOf(op, path);
    if (!Array.isArray(container)) {
      const value = container[key];
      if (value === undefined) {
        throw new PatchError(
          422,
          `error in ${op} for path: '${path}': unable to remove nonexistent key: ${key}: missing value`,
        );
      }
      delete container[key];
      return value;
    }
    const index = indexOf(op, path, key, container.length);
    if (index >= container.length) throw invalidIndex(op, path, key);
    this.shift(container.length - index);
    return container.splice(index, 1)[0];
  }

  private replace(path: string, value: unknown): void {
    if (path === "") {
      this.document = value;
      return;
    }
    const { container, key } = this.parentOf("replace", path);
    if (lookUp(container, key) === undefined) {
      throw new PatchError(422, `replace operation does not apply: doc is missing key: ${path}: missing value`);
    }
    if (Array.isArray(container)) container[indexOf("replace", path, key, container.length)] = value;
    else container[key] = value;
  }

  private shift(count: number): void {
    this.shifts += count;
    if (this.shifts > jsonPatchShiftsMax) throw new PatchError(413, "The patch shifts too many list elements");
  }

  private parentOf(op: string, path: string): { container: Container; key: string } {
    const missing = () =>
      new PatchError(422, `${op} operation does not apply: doc is missing path: "${path}": missing value`);
    if (!path.startsWith("/")) throw missing();
    const keys = path.slice(1).split("/").map(unescape);
    let container = this.document;
    for (let i = 0; i < keys.length - 1; i += 1) {
      if (!isContainer(container)) throw missing();
      container = lookUp(container, keys[i] as string);
    }
    if (!isContainer(container)) throw missing();
    return { container, key: keys.at(-1) as string };
  }
}

function unescape(key: string): string {
  return key.includes("~") ? key.replaceAll("~1", "/").replaceAll("~0", "~") : key;
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}

function lookUp(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return container[key];
  if (!/^-?\d+$/.test(key)) return undefined;
  return container.at(Number(key));
}

/** Negative indices count from the end, as clients of Kubernetes are used to. */
function indexOf(op: string, path: string, key: string, length: number): number {
  const index = /^-?\d+$/.test(key) ? Number(key) : NaN;
  if (!Number.isSafeInteger(index) || index < -length) throw invalidIndex(op, path, key);
  return index < 0 ? index + length : index;
}

function invalidIndex(op: string, path: string, key: string): PatchError {
  const message = `Unable to access invalid index: ${key}: invalid index referenced`;
  return new PatchError(422, `error in ${op} for path: '${path}': ${message}`);
}
