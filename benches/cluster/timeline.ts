import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { ApiConnection } from "./connection.ts";

/** What happened between an apply and its first answer, seen from outside: the API's watches, containerd's events, the kernel's rules. */
export interface Timeline {
  /** Everything from now on counts from here. */
  restart(): void;
  note(what: string): void;
  /** Each step with the milliseconds since the start, in order. */
  steps(): readonly { readonly what: string; readonly atMs: number }[];
  close(): void;
}

interface Seen {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly nodeName?: string };
    readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null;
    readonly status?: {
      readonly phase?: string;
      readonly readyReplicas?: number;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  };
}

const watched = [
  "/apis/apps/v1/namespaces/default/deployments",
  "/apis/apps/v1/namespaces/default/replicasets",
  "/api/v1/namespaces/default/pods",
  "/api/v1/namespaces/default/services",
  "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
];

/** Follows the API and, where the programs are there, containerd (`ctr events`) and the packet rules (`nft monitor`). */
export async function followTimeline(api: ApiConnection, containerdSocket: string | undefined): Promise<Timeline> {
  let start = performance.now();
  let steps: { readonly what: string; readonly atMs: number }[] = [];
  const note = (what: string): void => void steps.push({ what, atMs: performance.now() - start });
  const watches = await Promise.all(
    watched.map((path) => api.watch(`${path}?watch=true&resourceVersion=0`, (line) => note(apiStep(line)))),
  );
  const children: ChildProcess[] = [];
  const follow = (command: string, args: readonly string[], step: (line: string) => string | undefined): void => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    // Without the program its steps are missing, that is all.
    child.on("error", (error) => note(`cannot run ${command}: ${error.message}`));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const what = step(line);
      if (what !== undefined) note(what);
    });
    children.push(child);
  };
  if (containerdSocket !== undefined) follow("ctr", ["-a", containerdSocket, "-n", "k8s.io", "events"], runtimeStep);
  follow("nft", ["monitor"], (line) =>
    line.startsWith("add element") ? `packet rules: ${line.slice(0, 90)}` : undefined,
  );
  return {
    restart: () => {
      start = performance.now();
      steps = [];
    },
    note,
    steps: () => steps.toSorted((a, b) => a.atMs - b.atMs),
    close: () => {
      for (const watch of watches) watch.close();
      for (const child of children) child.kill();
    },
  };
}

function apiStep(line: string): string {
  const { type, object } = JSON.parse(line) as Seen;
  const status = object.status ?? {};
  const trueConditions = (status.conditions ?? []).flatMap((one) => (one.status === "True" ? [one.type] : []));
  const facts = [
    object.spec?.nodeName === undefined ? "" : "bound",
    status.phase ?? "",
    status.readyReplicas === undefined ? "" : `ready ${status.readyReplicas}`,
    object.kind === "EndpointSlice"
      ? `ready ${(object.endpoints ?? []).filter(({ conditions }) => conditions?.ready === true).length}`
      : "",
    trueConditions.includes("Ready") ? "Ready" : "",
  ];
  return [type.toLowerCase(), object.kind, object.metadata.name, ...facts].filter((text) => text !== "").join(" ");
}

/** `2026-01-02 03:04:05.6 +0000 UTC k8s.io /tasks/start {"container_id":"…"}`. */
function runtimeStep(line: string): string | undefined {
  const found = / (\/\S+) \{.*?"(?:container_id|id|key|name)":"([^"]{1,12})/.exec(line);
  return found === null ? undefined : `containerd ${found[1]} ${found[2]}`;
}
