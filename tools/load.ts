/**
 * Sends requests to a local port, four at a time, until standard input says stop (or two minutes have passed); prints how many were
 * sent and what failed as JSON. Run: node tools/load.ts PORT HOST
 */
import { request } from "node:http";

const [port = "80", host = "web.example"] = process.argv.slice(2);
const parallel = 4;
const limitMs = 120_000;
const failed: string[] = [];
let sent = 0;
let isOver = false;

process.stdin.on("data", () => (isOver = true));
process.stdin.on("end", () => (isOver = true));

function once(): Promise<void> {
  return new Promise((resolve) => {
    sent += 1;
    const fail = (what: string): void => {
      failed.push(what);
      resolve();
    };
    const options = {
      host: "127.0.0.1",
      port: Number(port),
      path: "/",
      agent: false as const,
      timeout: 5000,
      headers: { host },
    };
    const call = request(options, (response) => {
      response.resume();
      response.on("error", (error) => fail(error.message));
      response.on("end", () => (response.statusCode === 200 ? resolve() : fail(`status ${response.statusCode}`)));
    });
    call.on("timeout", () => call.destroy(new Error("timeout")));
    call.on("error", (error) => fail(error.message));
    call.end();
  });
}

async function loop(): Promise<void> {
  const endsAtMs = performance.now() + limitMs;
  while (!isOver && performance.now() < endsAtMs) await once();
}

await Promise.all(Array.from({ length: parallel }, loop));
process.stdout.write(`${JSON.stringify({ sent, failed })}\n`);
process.exit(0);
