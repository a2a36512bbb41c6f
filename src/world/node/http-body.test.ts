import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Duplex, PassThrough, type Readable } from "node:stream";
import { test } from "node:test";
import type { ByteStream, HttpHandler } from "../http.ts";
import { handle, pour } from "./http-body.ts";
import { answerHttp1 } from "./http1.ts";
import { answerHttp2 } from "./http2.ts";
import { bodiesReadPerTurn, bodyBytesPerTurn, requestsSliceMs } from "./http-limits.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("of requests that come together a few are handled in each turn, in their order", async () => {
  const handled: string[] = [];
  const handler: HttpHandler = {
    handle: ({ target }) => {
      handled.push(target);
      const from = performance.now();
      while (performance.now() - from < requestsSliceMs);
      return { status: 200, headers: {}, body: new Uint8Array(0) };
    },
  };
  const targets = Array.from({ length: 8 }, (_, place) => `/${place}`);
  const answered = targets.map((target) => {
    const request = { method: "GET", target, headers: {}, body: new Uint8Array(0) };
    return new Promise((resolve) => handle(handler, request, { address: "", port: 0 }, resolve));
  });
  assert.ok(handled.length <= 1, "the others leave this turn to whoever waits for it");
  await Promise.all(answered);
  assert.deepEqual(handled, targets);
});

test("of many streams whose clients have room at once a few go on in each turn, and all of them in the end", async () => {
  const order: number[] = [];
  const answers = Array.from({ length: 8 }, (_, place) => {
    const body: ByteStream = {
      open: () => undefined,
      drained: () => {
        order.push(place);
        const from = performance.now();
        while (performance.now() - from < 5);
      },
      close: () => undefined,
    };
    const into = new PassThrough();
    pour(body, into);
    return into;
  });
  for (const into of answers) into.emit("drain");
  assert.ok(order.length <= 1, "the others leave this turn to whoever waits for it");
  for (let turns = 0; order.length < answers.length; turns += 1) {
    const before = order.length;
    assert.ok(turns < 100, "each has its turn");
    await turn();
    assert.ok(order.length - before <= 1, "so does each further turn");
  }
  assert.deepEqual(
    order,
    answers.map((_, place) => place),
  );
});

test("a stream whose client leaves while it waits for its turn is closed and not asked for more", async () => {
  const calls: string[] = [];
  const streams = ["first", "second"].map((name) => {
    const body: ByteStream = {
      open: () => undefined,
      drained: () => {
        calls.push(`${name} goes on`);
        const from = performance.now();
        while (performance.now() - from < 5);
      },
      close: () => calls.push(`${name} closed`),
    };
    const into = new PassThrough();
    pour(body, into);
    return into;
  });
  const [first, second] = streams as [PassThrough, PassThrough];
  first.emit("drain");
  second.emit("drain");
  second.destroy();
  for (let turns = 0; turns < 10; turns += 1) await turn();
  assert.deepEqual(calls.toSorted(), ["first goes on", "second closed"]);
});

/** A request that announces a body of so many pieces; `answered` when it was read whole. */
type Announced = (pieces: number, answered: () => void) => Readable;

function handlerOf(pieces: number, answered: () => void): HttpHandler {
  return {
    handle: ({ body }) => {
      assert.equal(body.length, pieces * bodyBytesPerTurn);
      answered();
      return { status: 200, headers: {}, body: new Uint8Array(0) };
    },
  };
}

const protocols: Record<string, Announced> = {
  "HTTP/1.1": (pieces, answered) => {
    const bytes = pieces * bodyBytesPerTurn;
    const message = new IncomingMessage(new Socket());
    message.headers["content-length"] = String(bytes);
    const peer = { address: "", port: 0 };
    answerHttp1(handlerOf(pieces, answered), bytes, message, new ServerResponse(message), peer);
    return message;
  },
  "HTTP/2": (pieces, answered) => {
    const bytes = pieces * bodyBytesPerTurn;
    const duplex = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const ofHttp2 = { endAfterHeaders: false, headersSent: false, respond: () => undefined, close: () => undefined };
    const stream = Object.assign(duplex, ofHttp2);
    const headers = { ":method": "POST", ":path": "/", "content-length": String(bytes) };
    answerHttp2(handlerOf(pieces, answered), { bodyBytesMax: bytes }, stream, headers, { address: "", port: 0 });
    return stream;
  },
};

function arrive(message: Readable, pieces: number): void {
  for (let i = 0; i < pieces; i++) message.push(Buffer.alloc(bodyBytesPerTurn));
}

for (const [protocol, announced] of Object.entries(protocols)) {
  test(`${protocol}: a body that is there at once is read in pieces, with a turn for others between them`, async () => {
    const pieces = 10;
    let isRead = false;
    const message = announced(pieces, () => (isRead = true));
    arrive(message, pieces);
    message.push(null);
    let turns = 0;
    for (; !isRead; turns += 1) {
      assert.ok(turns < 100, "it is read whole in the end");
      await turn();
    }
    assert.ok(pieces <= turns, `others had ${turns} turns`);
  });

  test(`${protocol}: of many bodies a few are read in each turn, in their order; who sends nothing holds nobody up`, async () => {
    const pieces = 5;
    const order: number[] = [];
    const messages = Array.from({ length: 30 }, (_, place) => announced(pieces, () => order.push(place)));
    // The first three begin, and say no more.
    for (const [place, message] of messages.entries()) {
      arrive(message, place < 3 ? 2 : pieces);
      if (place >= 3) message.push(null);
    }
    let turns = 0;
    for (; order.length < 27; turns += 1) {
      assert.ok(turns < 200, `only ${order.join()} were read`);
      await turn();
    }
    // Of each turn's few some take the further one in which they end.
    assert.ok((27 * pieces) / bodiesReadPerTurn <= turns, `all within ${turns} turns`);
    assert.deepEqual(order, messages.map((_, place) => place).slice(3));
    for (const silent of messages.slice(0, 3)) {
      arrive(silent, pieces - 2);
      silent.push(null);
    }
    while (order.length < 30) {
      assert.ok((turns += 1) < 250, "they are read once they go on");
      await turn();
    }
  });
}
