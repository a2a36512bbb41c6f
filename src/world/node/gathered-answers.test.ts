import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { GatheredAnswers } from "./gathered-answers.ts";

function received(socket: PassThrough): string {
  let text = "";
  for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read()) text += String(chunk);
  return text;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what is answered in one turn leaves together when the turn ends, each answer whole and in order", async () => {
  const gathered = new GatheredAnswers();
  const sockets = [new PassThrough(), new PassThrough()];
  for (const text of ["first", "second"]) {
    for (const socket of sockets) {
      gathered.add(socket);
      socket.write(`${text};`);
      assert.ok(socket.writableCorked > 0, "held back");
    }
  }
  await turn();
  for (const socket of sockets) {
    assert.equal(socket.writableCorked, 0, "no cork is forgotten");
    assert.equal(received(socket), "first;second;");
  }
});

test("an answer of the next turn waits for its own turn's end only", async () => {
  const gathered = new GatheredAnswers();
  const socket = new PassThrough();
  for (const text of ["one", "two"]) {
    gathered.add(socket);
    socket.write(text);
    await turn();
    assert.equal(received(socket), text);
  }
});

test("a long turn sends meanwhile what has waited", () => {
  const gathered = new GatheredAnswers();
  const [early, late] = [new PassThrough(), new PassThrough()];
  gathered.add(early);
  early.write("early");
  const from = performance.now();
  while (performance.now() - from < 5);
  gathered.add(late);
  assert.equal(early.writableCorked, 0);
  assert.equal(late.writableCorked, 1);
});
