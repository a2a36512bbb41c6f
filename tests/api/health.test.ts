/** /livez, /readyz and /healthz: whole, one check, with all checks, without some. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { HealthCheck } from "#apiserver/call.ts";
import { send, startInProcess } from "./harness.ts";

let problem: string | undefined;
const checks: readonly HealthCheck[] = [
  { name: "store", endpoints: ["livez", "readyz", "healthz"], check: () => undefined },
  { name: "loops", endpoints: ["readyz"], check: () => problem },
  { name: "hook/roles", endpoints: ["readyz"], check: () => undefined },
];
const server = await startInProcess({ health: checks });
after(() => server.close());

function check(target: string, health: "well" | "ill", status: number, text: string): void {
  test(`${target} while it is ${health} is ${status}`, async () => {
    problem = health === "well" ? undefined : "the secret reason";
    const answer = await send(server, "GET", target);
    assert.deepEqual([answer.status, answer.text], [status, text]);
    assert.match(String(answer.headers["content-type"]), /^text\/plain/);
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
  });
}

const missing = "404 page not found\n";
check("/livez", "well", 200, "ok");
check("/readyz", "well", 200, "ok");
check("/healthz/", "well", 200, "ok");
check("/readyz?verbose", "well", 200, "[+]ping ok\n[+]store ok\n[+]loops ok\n[+]hook/roles ok\nreadyz check passed\n");
check("/livez?verbose=true", "well", 200, "[+]ping ok\n[+]store ok\nlivez check passed\n");
check("/readyz/loops", "well", 200, "ok");
check("/livez/loops", "well", 404, missing);
check("/readyz/none", "well", 404, missing);
check("/readyz/loops/more", "well", 404, missing);
check("/readyz/hook/roles", "well", 200, "ok");
check("/readyz/__proto__", "well", 404, missing);
check("/readyz/%2e%2e", "well", 404, missing);

const ill = "[+]ping ok\n[+]store ok\n[-]loops failed: reason withheld\n[+]hook/roles ok\nreadyz check failed\n";
check("/readyz", "ill", 500, ill);
check("/readyz?verbose", "ill", 500, ill);
check("/livez", "ill", 200, "ok");
check("/readyz/loops", "ill", 500, "[-]loops failed: reason withheld\nreadyz check failed\n");
check("/readyz/store", "ill", 200, "ok");
check("/readyz?exclude=loops", "ill", 200, "ok");
check("/readyz?exclude=store", "ill", 500, ill.replace("store ok", "store excluded: ok"));
check(
  "/readyz?exclude=loops&exclude=store&verbose",
  "ill",
  200,
  "[+]ping ok\n[+]store excluded: ok\n[+]loops excluded: ok\n[+]hook/roles ok\nreadyz check passed\n",
);
check(
  "/readyz?exclude=nothing&verbose",
  "well",
  200,
  "[+]ping ok\n[+]store ok\n[+]loops ok\n[+]hook/roles ok\nwarn: some health checks cannot be excluded: no matches\nreadyz check passed\n",
);

test("a health path takes no writes", async () => {
  for (const method of ["POST", "PUT", "DELETE"]) assert.ok((await send(server, method, "/livez")).status >= 400);
});
