import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { ByteSink, HttpRequest, HttpResponse, Transport } from "../http.ts";
import { portTransports, servePort } from "./port-transport.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Both ends of a channel; `answer` stands behind the serving one. */
function connect(answer: (as: string, request: HttpRequest) => HttpResponse | Promise<HttpResponse>): {
  as: (who: string) => Transport;
  close: () => void;
} {
  const { port1, port2 } = new MessageChannel();
  servePort(port2, (as) => ({ send: async (request) => answer(as, request) }));
  return {
    as: portTransports(port1),
    close: () => {
      port1.close();
      port2.close();
    },
  };
}

const get = (target: string, body = ""): HttpRequest => ({ method: "GET", target, headers: {}, body: bytes(body) });

/** What a reader got, until the body ended. */
function readAll(body: HttpResponse["body"], sink: Partial<ByteSink> = {}): Promise<string> {
  if (!("open" in body)) return Promise.resolve(text(body as Uint8Array));
  return new Promise((resolve, reject) => {
    let all = "";
    body.open({
      write: (chunk) => {
        all += text(chunk);
        return sink.write?.(chunk) ?? true;
      },
      end: () => resolve(all),
      abort: reject,
    });
  });
}

test("requests of one turn go over together, and each gets its own answer", async () => {
  const channel = connect((as, { target, body }) => {
    // A view of a larger buffer, as stored objects are.
    const whole = bytes(`before|${as} ${target} ${text(body)}|behind`);
    return { status: 200, headers: { a: "b" }, body: whole.subarray(7, whole.length - 7) };
  });
  const answers = await Promise.all(
    ["1", "2", "3"].map(async (name) => {
      const { status, headers, body } = await channel.as(`node-${name}`).send(get(`/${name}`, `body ${name}`));
      return [status, headers["a"], text(body as Uint8Array)];
    }),
  );
  channel.close();
  assert.deepEqual(
    answers,
    ["1", "2", "3"].map((name) => [200, "b", `node-${name} /${name} body ${name}`]),
  );
});

test("a body in pieces arrives as one", async () => {
  const channel = connect(() => ({ status: 200, headers: {}, body: [bytes("one "), bytes("two")] }));
  const { body } = await channel.as("").send(get("/"));
  channel.close();
  assert.equal(text(body as Uint8Array), "one two");
});

test("no answer is an error of the asker", async () => {
  const channel = connect(() => Promise.reject(new Error("the store is gone")));
  await assert.rejects(channel.as("").send(get("/")), { message: "the store is gone" });
  channel.close();
});

test("a stream's chunks come in order, also those from before it was opened, then its end", async () => {
  let source: ByteSink | undefined;
  const open = (sink: ByteSink): void => {
    source = sink;
    sink.write(bytes("early "));
  };
  const channel = connect((_as, { target }) => {
    if (target === "/ping") return { status: 200, headers: {}, body: bytes("") };
    return { status: 200, headers: {}, body: { open, drained: () => {}, close: () => {} } };
  });
  const { body } = await channel.as("").send(get("/"));
  source?.write(bytes("second "));
  // Its answer comes behind the chunk, which so waits unopened.
  await channel.as("").send(get("/ping"));
  const all = readAll(body);
  source?.write(bytes("last"));
  source?.end();
  assert.equal(await all, "early second last");
  channel.close();
});

test("a stream that breaks off is an error of its reader", async () => {
  const channel = connect(() => ({
    status: 200,
    headers: {},
    body: { open: (sink) => sink.abort(new Error("too slow")), drained: () => {}, close: () => {} },
  }));
  const { body } = await channel.as("").send(get("/"));
  await assert.rejects(readAll(body), { message: "too slow" });
  channel.close();
});

test("a reader that goes away frees the source", async () => {
  const closed = Promise.withResolvers<void>();
  const channel = connect(() => ({
    status: 200,
    headers: {},
    body: { open: () => {}, drained: () => {}, close: () => closed.resolve() },
  }));
  const { body } = await channel.as("").send(get("/"));
  assert.ok("open" in body);
  body.open({ write: () => true, end: () => {}, abort: () => {} });
  body.close();
  await closed.promise;
  channel.close();
});

test("a source waits while the other thread does not take its bytes, and goes on when it does", async () => {
  const chunk = new Uint8Array(1024 * 1024);
  const count = 20;
  let sent = 0;
  let sink: ByteSink | undefined;
  let waits = 0;
  const pump = (): void => {
    while (sent < count) {
      sent += 1;
      if (sink!.write(chunk)) continue;
      waits += 1;
      return;
    }
    sink!.end();
  };
  const channel = connect(() => ({
    status: 200,
    headers: {},
    body: {
      open: (given) => {
        sink = given;
        pump();
      },
      drained: pump,
      close: () => {},
    },
  }));
  const { body } = await channel.as("").send(get("/"));
  assert.equal((await readAll(body)).length, count * chunk.length);
  assert.ok(waits > 0);
  channel.close();
});
