import { readCause } from "#client/cause-headers.ts";
import type { Change, Stored } from "../history.ts";
import { rolloutBounds, type DeploymentSpec } from "./rollout-bounds.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, isReady, isTerminal, isTrue, objectOfUid, podKeyOf, staleMsOf } from "./facts.ts";

const revisionAnnotation = "deployment.kubernetes.io/revision";
/** A deletion that was asked for longer ago came from somebody else. Milliseconds. */
const answeredWithinMs = 5_000;
/** A clock that is set back further than this is noticed by whoever judges how long a pod has been ready. Milliseconds. */
const clockSkewMsMax = 5_000;

interface PodState {
  readonly pod: Stored;
  /** When it was ready last; undefined: never. Infinity: it is. */
  readonly readyUntilMs: number | undefined;
  /** When it became ready; undefined: it is not. */
  readonly readySinceMs: number | undefined;
  /** When its end began; undefined: it has not. */
  readonly endsSinceMs: number | undefined;
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
  /** Those that are gone stay for a while: a loop may not have seen that. */
  readonly #pods = new Map<string, PodState>();
  /** Pods that the ReplicaSet controller asked to delete. */
  readonly #asked = new Set<string>();
  /** When it asked last: what came of a request that was lost is somebody else's. */
  readonly #askedMs = new Map<string, number>();

  constructor(view: View, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  requested(_client: string, { method, target, headers }: Parameters<NonNullable<Checker["requested"]>>[1]): void {
    if (method !== "DELETE" || readCause(headers)?.actor !== "controllers/replicaset") return;
    const key = podKeyOf(target);
    if (key === undefined) return;
    this.#asked.add(key);
    this.#askedMs.set(key, this.#view.now());
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
      const limit = (deployment.spec as DeploymentSpec).revisionHistoryLimit ?? 10;
      const old = sets.filter((set) => replicasOf(set) === 0 && revisionOf(set) !== revisionOf(deployment)).length;
      if (old > limit)
        this.#report("37 history", `${deployment.metadata.name} keeps ${old} old ReplicaSets, at most ${limit}`);
      const { name } = deployment.metadata;
      const available = Number(deployment.status?.["availableReplicas"] ?? 0);
      const isAvailable = available >= rolloutBounds(deployment.spec as DeploymentSpec).least;
      if (isTrue(deployment, "Available") !== isAvailable)
        this.#report("39 conditions", `${name} has ${available} pods, and its condition Available says otherwise`);
      if (available >= replicasOf(deployment) && !isTrue(deployment, "Progressing"))
        this.#report("39 conditions", `${name} is complete, and its condition Progressing is not True`);
    }
  }

  #deploymentChanged({ current, before }: Change): void {
    if (current === undefined) return;
    this.#remember(current);
    const { name } = current.metadata;
    if (before !== undefined && revisionOf(current) < revisionOf(before)) {
      this.#report("37 revision", `the revision of ${name} went from ${revisionOf(before)} to ${revisionOf(current)}`);
    }
  }

  #remember({ metadata, spec }: Stored): void {
    const specs = this.#specs.get(metadata.uid) ?? new Map<number, DeploymentSpec>();
    this.#specs.set(metadata.uid, specs);
    specs.set(metadata.generation ?? 0, spec as DeploymentSpec);
  }

  /** Specs that the loop may act on: the newest, and those since the last that it said it saw. */
  #liveSpecs({ metadata, status }: Stored): DeploymentSpec[] {
    const observed = Number(status?.["observedGeneration"] ?? 0);
    return [...(this.#specs.get(metadata.uid) ?? [])].flatMap(([generation, spec]) =>
      generation >= observed ? [spec] : [],
    );
  }

  #replicaSetChanged({ current, before, revision, atMs }: Change): void {
    if (current === undefined) return;
    this.#remember(current);
    const deployment = this.#deploymentOf(current);
    if (deployment === undefined) return;
    const specs = this.#liveSpecs(deployment);
    if (before === undefined && specs.every(({ paused }) => paused === true)) {
      this.#report(
        "37 pause",
        `ReplicaSet ${current.metadata.name} was made at ${revision}, and ${deployment.metadata.name} is paused`,
      );
    }
    if (before === undefined) this.#checkTemplate(current, deployment);
    const grown = replicasOf(current) - (before === undefined ? 0 : replicasOf(before));
    if (grown < 0) this.#shrunk(current, deployment, revision, atMs);
    if (grown <= 0) return;
    const total = this.#setsOf(deployment).reduce((sum, set) => sum + replicasOf(set), 0);
    const most = Math.max(...specs.map((spec) => rolloutBounds(spec).most));
    if (total > most) {
      this.#report(
        "34 surge",
        `ReplicaSets of ${deployment.metadata.name} ask for ${total} pods at ${revision}, at most ${most} are allowed`,
      );
    }
  }

  /** Who goes back to a template gets the ReplicaSet that had it: that makes a rollback exact. */
  #checkTemplate(set: Stored, deployment: Stored): void {
    const { uid } = set.metadata;
    const twin = this.#setsOf(deployment).find(
      (one) => one.metadata.uid !== uid && templateOf(one) === templateOf(set),
    );
    if (twin !== undefined)
      this.#report("37 templates", `${set.metadata.name} and ${twin.metadata.name} are of one template`);
  }

  /** A ReplicaSet is to lose pods: those that are ready and go must be spared by the others. */
  #shrunk(set: Stored, deployment: Stored, revision: number, atMs: number): void {
    const least = Math.min(...this.#liveSpecs(deployment).map((spec) => rolloutBounds(spec).least));
    const available = this.#podsOf(deployment).filter((state) => this.#mayCountAsAvailable(state, atMs));
    const own = this.#podsOf(deployment).filter(
      ({ pod, endsSinceMs }) => controllerOf(pod) === set.metadata.uid && endsSinceMs === undefined,
    );
    const going = Math.max(0, own.length - replicasOf(set));
    const isSteppy = this.#view.swarm.strikes["clock-stepped"] !== undefined;
    // Since when a pod is ready its node's clock told, the server's one tells how long that is.
    const clockSkewMs = isSteppy ? clockSkewMsMax : 0;
    const minReadyMs = 1000 * Math.max(...this.#liveSpecs(deployment).map((spec) => spec.minReadySeconds ?? 0));
    const unready = own.filter(
      ({ readySinceMs }) =>
        readySinceMs === undefined || atMs - readySinceMs < minReadyMs + this.#staleMs() + clockSkewMs,
    ).length;
    const left = available.length - Math.max(0, going - unready);
    // What is not available may always go.
    if (left >= least || going <= unready) return;
    const taken = `which takes ${going} pods, ${unready} of them not available`;
    const what = `${set.metadata.name} was scaled to ${replicasOf(set)} at ${revision}, ${taken}`;
    this.#report(
      "35 availability",
      `${what}: ${left} available pods of ${deployment.metadata.name} are left, at least ${least} must be`,
    );
  }

  #podChanged(change: Change): void {
    const { key, current, before, atMs } = change;
    const known = this.#pods.get(key);
    const pod = current ?? known?.pod;
    if (pod === undefined) return;
    if (known !== undefined && known.pod.metadata.uid !== pod.metadata.uid) this.#pods.delete(key);
    const isLeaving = current === undefined || !isActive(current);
    const isGood = current !== undefined && isReady(current);
    this.#pods.set(key, {
      pod,
      readyUntilMs: isGood ? Infinity : known?.readyUntilMs === Infinity ? atMs : known?.readyUntilMs,
      readySinceMs: isGood ? (known?.readySinceMs ?? atMs) : undefined,
      endsSinceMs: isLeaving ? (known?.endsSinceMs ?? atMs) : undefined,
    });
    this.#forget(atMs);
    if (current === undefined) return;
    const set = this.#setOf(current);
    const deployment = set === undefined ? undefined : this.#deploymentOf(set);
    if (set === undefined || deployment === undefined) return;
    if (before === undefined) this.#created(change, current, set, deployment);
    const isEnding =
      current.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined;
    if (isEnding && atMs - (this.#askedMs.get(key) ?? -Infinity) < answeredWithinMs) this.#deleted(change, set);
  }

  #forget(nowMs: number): void {
    const keptSinceMs = nowMs - this.#staleMs();
    for (const [key, { pod, endsSinceMs }] of this.#pods) {
      const isGone = this.#view.history.get(key)?.metadata.uid !== pod.metadata.uid;
      if (isGone && (endsSinceMs ?? nowMs) < keptSinceMs) this.#pods.delete(key);
    }
  }

  #created({ revision }: Change, pod: Stored, set: Stored, deployment: Stored): void {
    const pods = this.#podsOf(deployment);
    const live = pods.filter(({ endsSinceMs }) => endsSinceMs === undefined);
    // A ReplicaSet that was scaled down a moment ago may still be growing.
    const sizes = this.#setsOf(deployment).map((one) => this.#liveSpecs(one).map(({ replicas }) => replicas ?? 1));
    const asked = sizes.reduce((sum, own) => sum + Math.max(...own), 0);
    const specs = this.#liveSpecs(deployment);
    const most = Math.max(asked, ...specs.map((spec) => rolloutBounds(spec).most));
    if (live.length > most) {
      this.#report(
        "34 surge",
        `${deployment.metadata.name} has ${live.length} pods with ${pod.metadata.name} at ${revision}, at most ${most} are allowed`,
      );
    }
    if (!specs.every(({ strategy }) => strategy?.type === "Recreate")) return;
    const isThere = (other: Stored): boolean =>
      this.#view.history.get(podKey(other))?.metadata.uid === other.metadata.uid;
    const old = pods.find(
      ({ pod: other }) => isThere(other) && !isTerminal(other) && controllerOf(other) !== set.metadata.uid,
    );
    if (old !== undefined) {
      this.#report(
        "36 recreate",
        `pod ${pod.metadata.name} was made at ${revision}, and ${old.pod.metadata.name} of before is not gone`,
      );
    }
  }

  /** The ReplicaSet controller deletes no more than it was asked to. */
  #deleted({ current, revision, atMs }: Change, set: Stored): void {
    const sinceMs = atMs - this.#staleMs();
    const left = [...this.#pods.entries()].filter(
      ([key, { pod, endsSinceMs }]) =>
        controllerOf(pod) === set.metadata.uid &&
        (endsSinceMs === undefined || (endsSinceMs >= sinceMs && !this.#asked.has(key))),
    );
    const least = Math.min(...this.#liveSpecs(set).map(({ replicas }) => replicas ?? 1));
    if (left.length >= least) return;
    this.#report(
      "35 availability",
      `${current?.metadata.name} was deleted at ${revision}: ${left.length} pods of ${set.metadata.name} are left, it shall have ${least}`,
    );
  }

  /** Available as far as a loop can know that looks at the world with a delay; what it deleted itself it does know. */
  #mayCountAsAvailable({ pod, readyUntilMs, endsSinceMs }: PodState, nowMs: number): boolean {
    const sinceMs = nowMs - this.#staleMs();
    if (readyUntilMs === undefined || readyUntilMs < sinceMs) return false;
    return endsSinceMs === undefined || (endsSinceMs >= sinceMs && !this.#asked.has(podKey(pod)));
  }

  #staleMs(): number {
    return staleMsOf(this.#view.swarm);
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
    return objectOfUid(this.#view.history.all("apps/replicasets").values(), controllerOf(pod));
  }

  #deploymentOf(set: Stored): Stored | undefined {
    return objectOfUid(this.#view.history.all("apps/deployments").values(), controllerOf(set));
  }
}

function podKey({ metadata }: Stored): string {
  return `/registry/core/pods/${metadata.namespace}/${metadata.name}`;
}

function replicasOf({ spec }: Stored): number {
  return Number(spec?.["replicas"] ?? 1);
}

/** As text, without the label by which its pods are told apart. */
function templateOf({ spec }: Stored): string {
  return JSON.stringify(spec?.["template"], (name, value: unknown) =>
    name === "pod-template-hash" ? undefined : value,
  );
}

function revisionOf({ metadata }: Stored): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 0);
}

function isActive(pod: Stored): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isTerminal(pod);
}
