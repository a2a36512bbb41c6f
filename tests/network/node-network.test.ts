import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Namespace } from "./namespaces.ts";
import { service, slice } from "./objects.ts";
import { node, TestNode } from "./test-node.ts";
import { eventually } from "../eventually.ts";

const root = process.getuid?.() === 0;

const web = service("web", { clusterIP: "10.96.0.20" });
const dnsService = service("kube-dns", { clusterIP: "10.96.0.10" }, [{ port: 53, protocol: "UDP" }]);

/** The text that an address answers, or the name of what went wrong. */
/** What is cut off never answers; what is not may take its time on a loaded machine. */
const cutOffMs = 1_000;
const answerMs = 20_000;

function reaches(from: Namespace, url: string, limitMs = answerMs): Promise<string> {
  return from.script(`
    const failed = (error) => error.name === "TypeError" ? error.cause.code : error.name;
    const text = await fetch("${url}", { signal: AbortSignal.timeout(${limitMs}) }).then((response) => response.text()).catch(failed);
    process.stdout.write(text, () => process.exit());`);
}

function askScript(name: string, how: "resolve4" | "reverse" = "resolve4"): string {
  return `
    import { Resolver } from "node:dns/promises";
    const resolver = new Resolver({ timeout: 5_000, tries: 4 });
    resolver.setServers(["10.96.0.10"]);
    console.log((await resolver.${how}("${name}").catch((error) => [error.code])).join(","));`;
}

test(
  "a node's network, from objects to answers in pods",
  { skip: !root && "needs root", timeout: 900_000 },
  async (t) => {
    await using stage = new TestNode();
    stage.namespace.ip("addr add 192.168.9.1/32 dev lo");
    const basics: [string, object][] = [
      ["nodes", node],
      ["namespaces", { metadata: { name: "default" } }],
      ["services", web],
      ["services", dnsService],
    ];
    await stage.start(basics);
    const [server, client] = [stage.pod(), stage.pod()];
    await server.namespace.serve(8080, "hello");

    await t.test("pods get addresses of the node's range from the CNI plugin", () => {
      assert.match(server.address, /^10\.244\.1\.\d+$/);
      assert.notEqual(server.address, client.address);
    });

    await t.test("a pod resolves a Service's name at the cluster's DNS address", async () => {
      assert.equal(await client.namespace.script(askScript("web.default.svc.cluster.local")), "10.96.0.20");
      assert.equal(await client.namespace.script(askScript("nobody.default.svc.cluster.local")), "ENOTFOUND");
    });

    await t.test("the node itself resolves it too", async () => {
      assert.equal(await stage.namespace.script(askScript("web.default.svc.cluster.local")), "10.96.0.20");
    });

    await t.test("once an endpoint is there, pod and node reach the Service", async () => {
      stage.feed("endpointslices", slice("web", 8080, [server.address]));
      const fetching = `
      let text = "";
      for (const end = Date.now() + 60_000; text === "" && Date.now() < end;) {
        text = await fetch("http://10.96.0.20/").then((response) => response.text(), () => "");
        if (text === "") await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(text);`;
      assert.equal(await client.namespace.script(fetching), `hello ${client.address}`);
      assert.equal(await stage.namespace.script(fetching), "hello 10.244.1.1");
    });

    await t.test("an Ingress leads from the node's port 80 to the pod", async () => {
      const backend = { service: { name: "web", port: { number: 80 } } };
      const rules = [{ host: "web.test", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }];
      stage.feed("ingresses", {
        metadata: { namespace: "default", name: "web", uid: "i" },
        spec: { rules },
        status: {},
      });
      const args = [
        "-sS",
        "--retry",
        "50",
        "--retry-delay",
        "0",
        "--retry-all-errors",
        "-f",
        "-H",
        "Host: web.test",
        "http://192.168.9.1/",
      ];
      assert.equal(stage.namespace.run("curl", args), "hello 10.244.1.1");
    });

    await t.test(
      "addresses of a further range reach their Service, and those of nobody are refused, as in the first",
      async () => {
        const range = { metadata: { name: "further", uid: "r" }, spec: { cidrs: ["10.231.7.0/24"] }, status: {} };
        const greedy = { metadata: { name: "greedy", uid: "g" }, spec: { cidrs: ["192.168.0.0/16", "10.0.0.0/8"] } };
        const unknown = "http://10.231.7.77/";
        assert.notEqual(
          await reaches(client.namespace, unknown, cutOffMs),
          "ECONNREFUSED",
          "nobody's range is nobody's",
        );
        stage.feed("servicecidrs", range);
        stage.feed("servicecidrs", { ...greedy, status: {} });
        stage.feed("services", service("far", { clusterIP: "10.231.7.20" }));
        stage.feed("endpointslices", slice("far", 8080, [server.address]));
        for (const from of [client.namespace, stage.namespace])
          await eventually("refused", async () => (await reaches(from, unknown, cutOffMs)) === "ECONNREFUSED");
        const far = "http://10.231.7.20/";
        await eventually("served", async () => (await reaches(client.namespace, far)) === `hello ${client.address}`);
        assert.equal(await reaches(stage.namespace, far), "hello 10.244.1.1");
        assert.match(
          await client.namespace.script(askScript("10.231.7.20", "reverse")),
          /^far\.default\.svc\.cluster\.local$/,
        );
        stage.feed("servicecidrs", range, true);
        await eventually("the route goes", () => !stage.namespace.run("ip", ["route"]).includes("10.231.7.0/24"));
      },
    );

    await t.test("a pod's host port is open on the node's address", async () => {
      stage.feed("pods", {
        metadata: { namespace: "default", name: "server" },
        spec: { nodeName: "n1", containers: [{ name: "c", ports: [{ containerPort: 8080, hostPort: 18080 }] }] },
        status: { phase: "Running", podIP: server.address },
      });
      const args = [
        "-sS",
        "--retry",
        "50",
        "--retry-delay",
        "0",
        "--retry-all-errors",
        "-f",
        "http://192.168.9.1:18080/",
      ];
      assert.equal(client.namespace.run("curl", args), `hello ${client.address}`);
    });

    await t.test("Services and ingress outlive a killed agent, which finds everything again", async () => {
      const get = (from: Namespace, ...args: string[]): string => from.run("curl", ["-sS", "-m", "20", "-f", ...args]);
      const ingress = ["-H", "Host: web.test", "http://192.168.9.1/"];
      await stage.kill();
      assert.equal(get(client.namespace, "http://10.96.0.20/"), `hello ${client.address}`);
      assert.equal(get(stage.namespace, ...ingress), "hello 10.244.1.1");
      const before = stage.namespace.run("pgrep", ["-f", `haproxy.*${stage.folder}`]);
      await stage.start(basics);
      assert.equal(
        stage.namespace.run("pgrep", ["-f", `haproxy.*${stage.folder}`]),
        before,
        "neither started nor reloaded",
      );
      assert.equal(get(stage.namespace, ...ingress), "hello 10.244.1.1");
      assert.equal(await client.namespace.script(askScript("web.default.svc.cluster.local")), "10.96.0.20");
    });

    await t.test(
      "network policies let through what they allow, and an address that nobody told of is cut off",
      async () => {
        const podOf = (name: string, address: string, labels: object): object => ({
          metadata: { namespace: "default", name, labels },
          spec: { nodeName: "n1", containers: [] },
          status: { phase: "Running", podIP: address },
        });
        const third = stage.pod();
        stage.feed("pods", podOf("server", server.address, { app: "web" }));
        stage.feed("pods", podOf("client", client.address, { role: "friend" }));
        stage.feed("pods", podOf("third", third.address, { role: "stranger" }));
        const from = [{ podSelector: { matchLabels: { role: "friend" } } }];
        const spec = { podSelector: { matchLabels: { app: "web" } }, ingress: [{ from, ports: [{ port: 8080 }] }] };
        stage.feed("networkpolicies", { metadata: { namespace: "default", name: "friends" }, spec });
        await eventually(
          "it is cut off",
          async () => (await reaches(third.namespace, "http://10.96.0.20/", cutOffMs)) === "TimeoutError",
        );
        // Policies and pods come on streams of their own: a friend may be known later than who is to have friends.
        await eventually(
          "the friend is let through",
          async () => (await reaches(client.namespace, "http://10.96.0.20/", cutOffMs)) === `hello ${client.address}`,
        );
        assert.equal(await reaches(client.namespace, `http://${server.address}:8080/`), `hello ${client.address}`);
        assert.equal(await reaches(third.namespace, "http://10.96.0.20/", cutOffMs), "TimeoutError");
        assert.equal(
          await reaches(stage.namespace, `http://${server.address}:8080/`),
          "hello 10.244.1.1",
          "the node reaches its pods",
        );
        const unknown = stage.pod();
        await unknown.namespace.serve(8080, "unknown");
        assert.equal(await reaches(client.namespace, `http://${unknown.address}:8080/`, cutOffMs), "TimeoutError");
        stage.feed("pods", podOf("unknown", unknown.address, {}));
        await eventually("it is known", async () =>
          (await reaches(client.namespace, `http://${unknown.address}:8080/`, cutOffMs)).startsWith("unknown"),
        );
      },
    );

    await t.test("other nodes' pods are routed by their address, and cleaning up leaves nothing", async () => {
      const before = stage.namespace.run("ip", ["-4", "route"]);
      assert.match(before, /10\.96\.0\.0\/16 dev steer-test/);
      await stage.cleanUp();
      assert.equal(stage.namespace.run("nft", ["list", "ruleset"]), "");
      assert.equal(stage.namespace.run("ip", ["-4", "route"]), "");
      assert.doesNotMatch(stage.namespace.run("ip", ["-br", "addr"]), /steer-|10\.96\.0\.10|veth/);
      assert.deepEqual(readdirSync(`${stage.folder}/cni`), []);
      assert.deepEqual(readdirSync(stage.folder).toSorted(), ["cni", "resolv.conf"]);
      assert.equal(stage.namespace.run("ss", ["-Hltn", "sport = :80"]), "");
    });
  },
);
