import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rotateLog } from "./log-files.ts";

test("a full log begins anew under its writer's hands, and the last one is kept", () => {
  const folder = mkdtempSync(join(tmpdir(), "steer-logs-"));
  const path = join(folder, "server.log");
  rotateLog(path);
  const writer = openSync(path, "a");
  try {
    writeSync(writer, "first\n");
    rotateLog(path);
    assert.equal(readFileSync(path, "utf8"), "first\n", "one that is not full stays");
    truncateSync(path, 33 * 1024 * 1024);
    rotateLog(path);
    assert.equal(statSync(`${path}.1`).size, 33 * 1024 * 1024);
    writeSync(writer, "second\n");
    assert.equal(readFileSync(path, "utf8"), "second\n");
    rotateLog(path);
    assert.equal(existsSync(`${path}.2`), false);
  } finally {
    closeSync(writer);
    rmSync(folder, { recursive: true });
  }
});
