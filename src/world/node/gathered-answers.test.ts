import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { GatheredAnswers } from "./gathered-answers.ts";
import { answerHttp1 } from "./http1.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what is answered in one turn leaves when the turn ends, in order", async () => {
  const gathered = new GatheredAnswers(60_000);
  const sent: string[] = [];
  for (const text of ["first", "second"]) gathered.add(() => sent.push(text));
  assert.equal(sent.length, 0);
  await turn();
  assert.deepEqual(sent, ["first", "second"]);
  gathered.add(() => sent.push("of the next turn"));
  await turn();
  assert.deepEqual(sent.slice(2), ["of the next turn"]);
});

test("a long turn sends meanwhile what has waited", () => {
  const gathered = new GatheredAnswers(1);
  const sent: string[] = [];
  gathered.add(() => sent.push("early"));
  const from = performance.now();
  while (performance.now() - from < 5);
  gathered.add(() => sent.push("late"));
  assert.deepEqual(sent, ["early"]);
});

/** A connection's end: what it was given. */
class Wire extends Socket {
  received = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += String(chunk);
    done();
  }

  override _writev(chunks: { readonly chunk: unknown }[], done: () => void): void {
    for (const { chunk } of chunks) this.received += String(chunk);
    done();
  }
}

/** A request without a body, answered with so many bytes on a connection of its own. */
function answered(bytes: number): { readonly wire: Wire; readonly response: ServerResponse } {
  const wire = new Wire();
  const request = new IncomingMessage(wire);
  const response = new ServerResponse(request);
  response.assignSocket(wire);
  const answer = { status: 200, headers: {}, body: Buffer.alloc(bytes, "x") };
  answerHttp1({ handle: () => answer }, 1_000, request, response, { address: "", port: 0 });
  return { wire, response };
}

test("no byte of a small answer leaves before the turn ends", async () => {
  const { wire } = answered(3);
  assert.equal(wire.received, "");
  await turn();
  assert.match(wire.received, /\r\ncontent-length: 3\r\n[^]*\r\n\r\nxxx$/);
  wire.destroy();
});

test("nothing is written for a client that went away meanwhile", async () => {
  const { wire, response } = answered(3);
  response.destroy();
  await turn();
  assert.equal(wire.received, "");
});
