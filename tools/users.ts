/**
 * Simulated users in front of an ingress: each has a cookie, comes back at random and remembers which versions answered. Prints a
 * JSON line for each line on standard input, and ends with it. Run: node tools/users.ts PORT HOST USERS REQUESTS-PER-SECOND
 */
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

const [port = "80", host = "web.example", userCount = "500", perSecond = "100"] = process.argv.slice(2);
const limitMs = 600_000;
const parallelMax = 200;
const tickMs = 10;

interface User {
  /** Versions in the order in which they answered. */
  readonly versions: string[];
  errors: number;
  /** A user waits for one answer before the next question: otherwise a slow answer would seem to come after a later one. */
  isWaiting: boolean;
}

const users = Array.from({ length: Number(userCount) }, (): User => ({ versions: [], errors: 0, isWaiting: false }));
const agent = new Agent({ keepAlive: true, maxSockets: parallelMax });
const byVersion: Record<string, { answers: number; errors: number }> = {};
/** Answers that no pod gave, by what came instead. */
const lost: Record<string, number> = {};
let sent = 0;
let open = 0;
/** When each version answered first, last, and with its first error, in ms since 1970. */
const times: Record<string, { first: number; last: number; firstError?: number }> = {};

function ask(index: number): void {
  const user = users[index]!;
  sent += 1;
  open += 1;
  user.isWaiting = true;
  const answered = (): void => {
    open -= 1;
    user.isWaiting = false;
  };
  const headers = { host, cookie: `sid=user-${index}` };
  const lose = (what: string): void => {
    answered();
    lost[what] = (lost[what] ?? 0) + 1;
  };
  const call = request(
    { host: "127.0.0.1", port: Number(port), path: "/", agent, timeout: 10_000, headers },
    (response) => {
      response.resume();
      response.on("error", (error) => lose(error.message));
      response.on("end", () => {
        const version = response.headers["x-version"];
        if (typeof version !== "string") return lose(`status ${response.statusCode}`);
        answered();
        note(user, version, (response.statusCode ?? 0) >= 500);
      });
    },
  );
  call.on("timeout", () => call.destroy(new Error("timeout")));
  call.on("error", (error) => lose(error.message));
  call.end();
}

function note(user: User, version: string, isError: boolean): void {
  const now = Date.now();
  const count = (byVersion[version] ??= { answers: 0, errors: 0 });
  const time = (times[version] ??= { first: now, last: now });
  count.answers += 1;
  time.last = now;
  if (isError) {
    count.errors += 1;
    user.errors += 1;
    time.firstError ??= now;
  }
  if (user.versions.at(-1) !== version) user.versions.push(version);
}

function report(): void {
  const histories: Record<string, number> = {};
  for (const { versions } of users) {
    const key = versions.join(" then ") || "not yet";
    histories[key] = (histories[key] ?? 0) + 1;
  }
  const usersInErrors = users.filter(({ errors }) => errors > 0).length;
  process.stdout.write(`${JSON.stringify({ sent, open, lost, byVersion, times, histories, usersInErrors })}\n`);
}

/** A user who waits for nothing; undefined when too many wait. */
function next(): number | undefined {
  if (open >= Math.min(parallelMax, users.length)) return undefined;
  const start = Math.floor(Math.random() * users.length);
  for (let step = 0; step < users.length; step += 1) {
    const index = (start + step) % users.length;
    if (users[index]?.isWaiting === false) return index;
  }
  return undefined;
}

let isOver = false;
createInterface({ input: process.stdin })
  .on("line", report)
  .on("close", () => (isOver = true));
const startedAtMs = performance.now();
const timer = setInterval(() => {
  const elapsedMs = performance.now() - startedAtMs;
  if (elapsedMs > limitMs) isOver = true;
  const due = Math.floor((elapsedMs * Number(perSecond)) / 1000);
  for (let index = next(); !isOver && sent < due && index !== undefined; index = next()) ask(index);
  if (!isOver || open > 0) return;
  clearInterval(timer);
  report();
  agent.destroy();
}, tickMs);
