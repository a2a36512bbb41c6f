import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes, pathOf, readMirrorLine, type CopyLine } from "./mirror-line.ts";

const text = (value: string): string => btoa(value);

function line(headers: string, body = "-", path = "/a?b=c", end = " ."): string {
  return `r-1/others 200 - 12|7 b0002 r-1/others GET ${text(path)} ${text(headers)} ${body}${end}`;
}

function copyOf(headers: string, body = "-", path = "/a?b=c"): CopyLine {
  const read = readMirrorLine(line(headers, body, path));
  assert.equal(read.kind, "copy");
  return (read as { copy: CopyLine }).copy;
}

function sent(...of: Parameters<typeof copyOf>): string | undefined {
  const bytes = copyBytes(copyOf(...of));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
}

test("a copy is the request with what belongs to its connection left out, and marked", () => {
  const headers =
    "host: a.com\r\nConnection: keep-alive\r\ncookie: sid=1\r\nTE: trailers\r\nSteersman-Mirrored: no\r\n\r\n";
  assert.equal(
    sent(headers),
    "GET /a?b=c HTTP/1.1\r\nhost: a.com\r\ncookie: sid=1\r\nsteersman-mirrored: true\r\nconnection: close\r\n\r\n",
  );
  assert.match(sent("content-length: 999\r\n", text("é\0x")) ?? "", /\r\ncontent-length: 3\r\n[^]*\r\n\r\né\0x$/);
  const { status, answerMs, target, side } = copyOf("host: a.com\r\n");
  assert.deepEqual(
    { status, answerMs, target, side },
    {
      status: 200,
      answerMs: 7,
      target: "b0002",
      side: "r-1/others",
    },
  );
});

test("a path is shown without its query", () => {
  assert.equal(pathOf(copyOf("", "-", "/login?token=secret")), "/login");
});

test("what is cut, dropped or something else is told from copies", () => {
  assert.equal(readMirrorLine(line("host: a.com\r\n").slice(0, -5)).kind, "cut");
  assert.deepEqual(readMirrorLine("52094 events dropped"), { kind: "dropped", count: 52_094 });
  for (const other of ["", "hello", "r-1/chosen 500 GET /a|b 12|7 -", "400 -1 -", "- 503 - 0|-1 -"])
    assert.equal(readMirrorLine(other).kind, "other", other);
});

test("bytes that are none of HTTP are never sent", () => {
  assert.equal(sent("host: a.com\r\nx: a\nevil: 1\r\n"), undefined);
  assert.equal(sent("host: a.com\r\n continued\r\n"), undefined);
  assert.equal(sent("host: a.com\r\n", "-", "/a HTTP/1.1\r\nevil: 1"), undefined);
  assert.equal(sent("host: a.com\r\n", "-", "http://elsewhere/"), undefined);
});
