import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";

/**
 * Reads the workload files that upstream publishes for its scheduler's benchmark (`performance-config.yaml`): which nodes and pods
 * are made, in which order. Of their operations those that create are known; a workload with any other one is refused.
 */
export interface Workload {
  /** `SchedulingBasic/5000Nodes`. */
  readonly name: string;
  /** Pods a second below which upstream's own run counts as failed; 0: none is given. */
  readonly threshold: number;
  readonly operations: readonly Operation[];
}

export type Operation =
  | { readonly do: "namespaces"; readonly names: readonly string[] }
  | { readonly do: "nodes"; readonly nodes: readonly Manifest[] }
  | {
      readonly do: "pods";
      readonly namespace: string;
      readonly pods: readonly Manifest[];
      readonly isMeasured: boolean;
    };

export interface Manifest {
  readonly metadata: { readonly generateName?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

interface Words {
  readonly opcode: string;
  readonly count?: number;
  readonly countParam?: string;
  readonly namespace?: string;
  readonly prefix?: string;
  readonly collectMetrics?: boolean;
  readonly podTemplatePath?: string;
  readonly nodeTemplatePath?: string;
  readonly labelNodePrepareStrategy?: { readonly labelKey: string; readonly labelValues: readonly string[] };
  readonly uniqueNodeLabelStrategy?: { readonly labelKey: string };
}

interface TestCase {
  readonly name: string;
  readonly defaultPodTemplatePath?: string;
  readonly workloadTemplate: readonly Words[];
  readonly workloads: readonly {
    readonly name: string;
    readonly threshold?: number;
    readonly params: Readonly<Record<string, number>>;
  }[];
}

const known: ReadonlySet<string> = new Set([
  "opcode",
  "count",
  "countParam",
  "namespace",
  "prefix",
  "collectMetrics",
  "podTemplatePath",
  "nodeTemplatePath",
  "labelNodePrepareStrategy",
  "uniqueNodeLabelStrategy",
]);

/** The workload `TEST/WORKLOAD` of a file. Throws when the file has none of that name or asks for what is not known here. */
export function readWorkload(file: string, name: string): Workload {
  const cases = parse(readFileSync(file, "utf8")) as readonly TestCase[];
  const [testName, workloadName] = name.split("/");
  const found = cases.find((one) => one.name === testName);
  const workload = found?.workloads.find((one) => one.name === workloadName);
  if (found === undefined || workload === undefined) throw new Error(`${file} has no workload ${name}`);
  const operations = found.workloadTemplate.map((words) => operationOf(words, workload.params, found, dirname(file)));
  return { name, threshold: workload.threshold ?? 0, operations };
}

function operationOf(
  words: Words,
  params: Readonly<Record<string, number>>,
  test: TestCase,
  folder: string,
): Operation {
  const strange = Object.keys(words).filter((word) => !known.has(word));
  if (strange.length > 0) throw new Error(`${test.name}: ${words.opcode} with ${strange.join(", ")} is not known here`);
  const count = words.countParam === undefined ? (words.count ?? 1) : params[words.countParam.replace(/^\$/, "")];
  if (count === undefined) throw new Error(`${test.name}: no parameter ${words.countParam ?? ""}`);
  const template = (path: string): Manifest => parse(readFileSync(join(folder, path), "utf8")) as Manifest;
  switch (words.opcode) {
    case "createNamespaces":
      return { do: "namespaces", names: Array.from({ length: count }, (_, at) => `${words.prefix ?? ""}-${at}`) };
    case "createNodes": {
      const node = template(words.nodeTemplatePath ?? "../templates/node-default.yaml");
      return { do: "nodes", nodes: Array.from({ length: count }, (_, at) => labelled(node, words, at)) };
    }
    case "createPods": {
      const pod = template(words.podTemplatePath ?? test.defaultPodTemplatePath ?? "../templates/pod-default.yaml");
      const pods = Array.from({ length: count }, () => pod);
      return { do: "pods", namespace: words.namespace ?? "default", pods, isMeasured: words.collectMetrics === true };
    }
    default:
      throw new Error(`${test.name}: the operation ${words.opcode} is not known here`);
  }
}

function labelled(node: Manifest, words: Words, at: number): Manifest {
  const spread = words.labelNodePrepareStrategy;
  const unique = words.uniqueNodeLabelStrategy;
  const labels = {
    ...node.metadata.labels,
    ...(spread === undefined ? {} : { [spread.labelKey]: spread.labelValues[at % spread.labelValues.length]! }),
    ...(unique === undefined ? {} : { [unique.labelKey]: `unique-${at}` }),
  };
  return { ...node, metadata: { ...node.metadata, labels } };
}
