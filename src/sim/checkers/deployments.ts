import { readCause } from "#client/cause-headers.ts";
import type { Change, Stored } from "../history.ts";
import { rolloutBounds, type DeploymentSpec } from "./rollout-bounds.ts";
import type { Checker, Report, View } from "./checker.ts";

const revisionAnnotation = "deployment.kubernetes.io/revision";
/** How old the view of a loop may be whose watches are slow or break, and otherwise. Milliseconds. */
const staleMsBad = 30_000;
const staleMsCalm = 1_000;

interface PodState {
  readonly pod: Stored;
  /** When it was ready last; undefined: never. Infinity: it is. */
  readyUntilMs: number | undefined;
}

/** 34 to 37 and 39: what a rollout keeps to, judged from what is stored. */
export function deploymentChecker(view: View, report: Report): Checker {
  return new DeploymentChecker(view, report);
}

class DeploymentChecker implements Checker {
  readonly name = "deployments";
  readonly #view: View;
  readonly #report: Report;
  /** Specs by uid and generation: a loop may not have seen the newest. */
  readonly #specs = new Map<string, Map<number, DeploymentSpec>>();
  readonly #pods = new Map<string, PodState>();
  /** Pods that the ReplicaSet controller asked to delete. */
  readonly #asked = new Set<string>();

  constructor(view: View, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  requested(_client: string, { method, target, headers }: Parameters<NonNullable<Checker["requested"]>>[1]): void {
    if (method !== "DELETE" || readCause(headers)?.actor !== "controllers/replicaset") return;
    const name = /\/namespaces\/([^/]+)\/pods\/([^/?]+)/.exec(target);
    if (name !== null) this.#asked.add(`/registry/core/pods/${name[1]}/${name[2]}`);
  }

  changed(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.resource === "apps/deployments") this.#deploymentChanged(change);
      else if (change.resource === "apps/replicasets") this.#replicaSetChanged(change);
      else if (change.resource === "pods") this.#podChanged(change);
    }
  }

  settled(): void {
    for (const deployment of this.#view.history.all("apps/deployments").values()) {
      const sets = this.#setsOf(deployment);
      const limit = (deployment.spec as unknown as DeploymentSpec).revisionHistoryLimit ?? 10;
      const old = sets.filter(({ spec }) => spec?.["replicas"] === 0).length;
      if (old > limit) this.#report("37 history", `${deployment.metadata.name} keeps ${old} old ReplicaSets, at most ${limit}`);
      const conditions = (deployment.status?.["conditions"] ?? []) as { type: string; status: string }[];
      for (const type of ["Available", "Progressing"]) {
        if (conditions.find((condition) => condition.type === type)?.status === "True") continue;
        this.#report("39 conditions", `${deployment.metadata.name} is complete, and its condition ${type} is not True`);
      }
    }
  }

  #deploymentChanged({ current, before }: Change): void {
    if (current === undefined) return;
    const { uid, generation = 0, name } = current.metadata;
    const specs = this.#specs.get(uid) ?? new Map<number, DeploymentSpec>();
    this.#specs.set(uid, specs);
    specs.set(generation, current.spec as unknown as DeploymentSpec);
    if (before !== undefined && revisionOf(current) < revisionOf(before)) {
      this.#report("37 revision", `the revision of ${name} went from ${revisionOf(before)} to ${revisionOf(current)}`);
    }
  }

  /** Specs that the controller may act on: the newest, and those after the last that it said it saw. */
  #liveSpecs(deployment: Stored): DeploymentSpec[] {
    const observed = Number(deployment.status?.["observedGeneration"] ?? 0);
    return [...(this.#specs.get(deployment.metadata.uid) ?? [])].flatMap(([generation, spec]) => (generation >= observed ? [spec] : []));
  }

  #replicaSetChanged({ current, before, revision }: Change): void {
    if (current === undefined) return;
    const deployment = this.#deploymentOf(current);
    if (deployment === undefined) return;
    const specs = this.#liveSpecs(deployment);
    if (before === undefined && specs.every(({ paused }) => paused === true)) {
      this.#report("37 pause", `ReplicaSet ${current.metadata.name} was made at ${revision}, and ${deployment.metadata.name} is paused`);
    }
    if (replicasOf(current) <= (before === undefined ? 0 : replicasOf(before))) return;
    const total = this.#setsOf(deployment).reduce((sum, set) => sum + replicasOf(set), 0);
    const most = Math.max(...specs.map((spec) => rolloutBounds(spec).most));
    if (total > most) {
      this.#report("34 surge", `ReplicaSets of ${deployment.metadata.name} ask for ${total} pods at ${revision}, at most ${most} are allowed`);
    }
  }

  #podChanged(change: Change): void {
    const { key, current, before, atMs } = change;
    if (current === undefined) {
      this.#pods.delete(key);
      return;
    }
    const known = this.#pods.get(key);
    const readyUntilMs = isReady(current) ? Infinity : known?.readyUntilMs === Infinity ? atMs : known?.readyUntilMs;
    this.#pods.set(key, { pod: current, readyUntilMs });
    const set = this.#setOf(current);
    const deployment = set === undefined ? undefined : this.#deploymentOf(set);
    if (set === undefined || deployment === undefined) return;
    if (before === undefined) this.#created(change, current, set, deployment);
    const isEnding = current.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined;
    if (isEnding && isReady(current) && this.#asked.has(key)) this.#deleted(change, deployment);
  }

  #created({ revision }: Change, pod: Stored, set: Stored, deployment: Stored): void {
    const specs = this.#liveSpecs(deployment);
    const pods = this.#podsOf(deployment);
    const live = pods.filter(({ pod: other }) => isActive(other));
    const most = Math.max(...specs.map((spec) => rolloutBounds(spec).most));
    if (live.length > most) {
      this.#report("34 surge", `${deployment.metadata.name} has ${live.length} pods with ${pod.metadata.name} at ${revision}, at most ${most} are allowed`);
    }
    if (!specs.every(({ strategy }) => strategy?.type === "Recreate")) return;
    const old = pods.find(({ pod: other }) => !isTerminal(other) && this.#setOf(other)?.metadata.uid !== set.metadata.uid);
    if (old !== undefined) {
      this.#report("36 recreate", `pod ${pod.metadata.name} was made at ${revision}, and ${old.pod.metadata.name} of before is not gone`);
    }
  }

  #deleted({ current, revision, atMs }: Change, deployment: Stored): void {
    const least = Math.min(...this.#liveSpecs(deployment).map((spec) => rolloutBounds(spec).least));
    const sinceMs = atMs - this.#staleMs();
    const available = this.#podsOf(deployment).filter(
      ({ pod, readyUntilMs }) => pod.metadata.deletionTimestamp === undefined && readyUntilMs !== undefined && readyUntilMs >= sinceMs,
    );
    if (available.length >= least) return;
    const left = `${available.length} available pods are left, at least ${least} must be`;
    this.#report("35 availability", `the controller deleted ${current?.metadata.name} of ${deployment.metadata.name} at ${revision}: ${left}`);
  }

  #staleMs(): number {
    const { loopNetwork, strikes } = this.#view.swarm;
    const { latencyMsMax, lostRequest, lostAnswer, brokenStream, delayedChunk } = loopNetwork;
    const isBad = lostRequest + lostAnswer + brokenStream + delayedChunk > 0 || strikes["streams-broken"] !== undefined;
    return isBad ? staleMsBad : staleMsCalm + 4 * latencyMsMax;
  }

  #podsOf(deployment: Stored): PodState[] {
    const uids = new Set(this.#setsOf(deployment).map(({ metadata }) => metadata.uid));
    return [...this.#pods.values()].filter(({ pod }) => uids.has(controllerOf(pod) ?? ""));
  }

  #setsOf(deployment: Stored): Stored[] {
    const { uid } = deployment.metadata;
    return [...this.#view.history.all("apps/replicasets").values()].filter((set) => controllerOf(set) === uid);
  }

  #setOf(pod: Stored): Stored | undefined {
    return find(this.#view.history.all("apps/replicasets").values(), controllerOf(pod));
  }

  #deploymentOf(set: Stored): Stored | undefined {
    return find(this.#view.history.all("apps/deployments").values(), controllerOf(set));
  }
}

function find(objects: Iterable<Stored>, uid: string | undefined): Stored | undefined {
  for (const object of objects) if (object.metadata.uid === uid) return object;
  return undefined;
}

function controllerOf({ metadata }: Stored): string | undefined {
  return (metadata.ownerReferences ?? []).find(({ controller }) => controller === true)?.uid;
}

function replicasOf({ spec }: Stored): number {
  return Number(spec?.["replicas"] ?? 1);
}

function revisionOf({ metadata }: Stored): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 0);
}

function isTerminal({ status }: Stored): boolean {
  return status?.["phase"] === "Failed" || status?.["phase"] === "Succeeded";
}

function isActive(pod: Stored): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isTerminal(pod);
}

function isReady({ status }: Stored): boolean {
  const conditions = (status?.["conditions"] ?? []) as { type: string; status: string }[];
  return conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
}
