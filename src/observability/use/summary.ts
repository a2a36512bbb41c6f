import { nothing, plus, requestOf, type Amount, type Scene, type SeenPod } from "./scene.ts";

/** Pods of one workload together. */
export interface WorkloadUse {
  readonly namespace: string;
  readonly workload: string;
  readonly pods: number;
  readonly requested: Amount;
  /** Undefined: none of its pods was measured. */
  readonly used: Amount | undefined;
  /** CPU in cores over the last half hour, oldest first; empty without a history. */
  readonly history: readonly number[];
}

export interface NodeUse {
  readonly name: string;
  readonly allocatable: Amount;
  readonly requested: Amount;
  readonly used: Amount | undefined;
  readonly pods: number;
  /** CPU in cores of its pods over the last half hour, oldest first; empty without a history. */
  readonly history: readonly number[];
}

/** What each node has, what was asked of it and what is used; `history` by name. Pure. */
export function nodeUses({ nodes, pods }: Scene, history: ReadonlyMap<string, readonly number[]>): NodeUse[] {
  const byNode = Map.groupBy(pods, ({ node }) => node);
  return nodes.map(({ name, allocatable, used }) => {
    const here = byNode.get(name) ?? [];
    const requested = here.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing);
    return { name, allocatable, requested, used, pods: here.length, history: history.get(name) ?? [] };
  });
}

/** The busiest workload first; `history` by `namespace/pod`. Pure. */
export function workloadUses({ pods }: Scene, history: ReadonlyMap<string, readonly number[]>): WorkloadUse[] {
  const groups = Map.groupBy(pods, ({ namespace, workload }) => `${namespace}/${workload}`);
  const all = [...groups.values()].map((members): WorkloadUse => {
    const [{ namespace, workload }] = members as [SeenPod];
    return {
      namespace,
      workload,
      pods: members.length,
      requested: members.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing),
      used: usedBy(members),
      history: addedUp(members.map((pod) => history.get(`${pod.namespace}/${pod.name}`) ?? [])),
    };
  });
  const of = ({ used }: WorkloadUse): Amount => used ?? nothing;
  return all.sort((left, right) => of(right).cpu - of(left).cpu || of(right).memory - of(left).memory);
}

function usedBy(pods: readonly SeenPod[]): Amount | undefined {
  const measured = pods.flatMap(({ containers }) =>
    containers.flatMap(({ used }) => (used === undefined ? [] : [used])),
  );
  return measured.length === 0 ? undefined : measured.reduce(plus);
}

function addedUp(lines: readonly (readonly number[])[]): number[] {
  const length = Math.max(0, ...lines.map((line) => line.length));
  return Array.from({ length }, (_, index) =>
    lines.reduce((sum, line) => sum + (line[line.length - length + index] ?? 0), 0),
  );
}
