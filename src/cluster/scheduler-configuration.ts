import { readDocument, type Configured, type Section } from "#apiserver/configuration/document.ts";
import { decodeBase64 } from "#codec/base64.ts";
import type { ExtenderSettings } from "#scheduler/extender.ts";
import { type Backoff, defaultBackoff } from "#scheduler/queue.ts";
import {
  defaultProfile,
  defaultWeights,
  filterNames,
  type FilterName,
  type Profile,
  type ScoreName,
} from "#scheduler/profile.ts";

/** How an extender is reached. Certificates are PEM; files are read from the `config` folder. */
export interface ExtenderEndpoint {
  readonly settings: ExtenderSettings;
  readonly tls: {
    readonly insecure: boolean;
    readonly serverName: string | undefined;
    readonly ca: Pem;
    readonly certificate: Pem;
    readonly key: Pem;
  };
}

export type Pem = { readonly data: string } | { readonly file: string } | undefined;

export interface SchedulerConfiguration {
  readonly profiles: readonly Profile[];
  readonly extenders: readonly ExtenderEndpoint[];
  readonly backoff: Backoff;
}

const defaultTimeoutMs = 5_000;
const weightMax = 100;
const profilesMax = 16;
const extendersMax = 16;
/** Part of every profile; a configuration may name them and cannot leave them out. */
const fixedPlugins: ReadonlySet<string> = new Set([
  "PrioritySort",
  "SchedulingGates",
  "NodeName",
  "VolumeRestrictions",
  "NodeVolumeLimits",
  "VolumeBinding",
  "VolumeZone",
  "DynamicResources",
  "DefaultBinder",
]);
const preemptionPlugin = "DefaultPreemption";
const points = ["multiPoint", "filter", "score", "postFilter"] as const;

/**
 * Reads a KubeSchedulerConfiguration: profiles and extenders. What would change nothing here is a problem, as is what nobody knows.
 * https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/
 */
export function readSchedulerConfiguration(text: string): Configured<SchedulerConfiguration> {
  const expected = { kind: "KubeSchedulerConfiguration", apiVersions: ["kubescheduler.config.k8s.io/v1"] };
  return readDocument(text, expected, (root) => {
    // Every node is scored, whatever these say: accepted so that files of other clusters can be taken over.
    root.integer("parallelism");
    root.integer("percentageOfNodesToScore");
    const backoff = readBackoff(root);
    const sections = root.sections("profiles");
    if (sections.length > profilesMax) root.problem("profiles", `must have at most ${profilesMax} items`);
    const profiles = sections.map(readProfile);
    const extenders = root.sections("extenders");
    if (extenders.length > extendersMax) root.problem("extenders", `must have at most ${extendersMax} items`);
    const read = extenders.map(readExtender);
    const names = new Set<string>();
    for (const [index, { schedulerName }] of profiles.entries()) {
      if (names.has(schedulerName))
        root.problem(`profiles[${index}].schedulerName`, `Duplicate value "${schedulerName}"`);
      names.add(schedulerName);
    }
    if (read.filter(({ settings }) => settings.bindVerb !== undefined).length > 1)
      root.problem("extenders", "only one extender can bind");
    root.end();
    const ignored = new Set(read.flatMap(({ ignoredResources }) => ignoredResources));
    const all = profiles.length === 0 ? [defaultProfile] : profiles;
    return {
      profiles: all.map((profile) => ({ ...profile, ignoredResources: profile.ignoredResources.union(ignored) })),
      extenders: read.map(({ settings, tls }) => ({ settings, tls })),
      backoff,
    };
  });
}

function readBackoff(root: Section): Backoff {
  const seconds = (field: string, otherwiseMs: number): number => (root.integer(field) ?? otherwiseMs / 1_000) * 1_000;
  const minMs = seconds("podInitialBackoffSeconds", defaultBackoff.minMs);
  const maxMs = seconds("podMaxBackoffSeconds", Math.max(minMs, defaultBackoff.maxMs));
  if (minMs <= 0) root.problem("podInitialBackoffSeconds", "must be greater than 0");
  if (maxMs < minMs) root.problem("podMaxBackoffSeconds", "must be at least podInitialBackoffSeconds");
  return { minMs, maxMs };
}

interface Draft {
  readonly weights: Record<ScoreName, number>;
  readonly filters: Record<FilterName, boolean>;
  preempts: boolean;
}

function readProfile(section: Section): Profile {
  const schedulerName = section.text("schedulerName") ?? defaultProfile.schedulerName;
  const draft: Draft = { weights: { ...defaultWeights }, filters: { ...defaultProfile.filters }, preempts: true };
  const plugins = section.section("plugins");
  for (const point of points) {
    const set = plugins?.section(point);
    if (set === undefined) continue;
    for (const one of set.sections("disabled")) choose(draft, one, point, false);
    for (const one of set.sections("enabled")) choose(draft, one, point, true);
    set.end();
  }
  plugins?.end();
  let profile: Profile = { ...defaultProfile, schedulerName, ...draft };
  for (const one of section.sections("pluginConfig")) {
    const name = one.neededText("name");
    const read = readers.get(name);
    const args = one.section("args");
    if (read === undefined)
      one.problem("name", `"${name}" takes no arguments here; ${[...readers.keys()].join(", ")} do`);
    else if (args !== undefined) {
      args.text("apiVersion");
      args.text("kind");
      profile = { ...profile, ...read(args) };
      args.end();
    }
    one.end();
  }
  section.end();
  return profile;
}

type Point = (typeof points)[number];

/** Takes a plugin in, or leaves it out (`*`: all of the point). */
function choose(draft: Draft, one: Section, point: Point, isOn: boolean): void {
  const name = one.neededText("name");
  const weight = one.integer("weight") ?? 1;
  if (weight < 0 || weight > weightMax) one.problem("weight", `must be between 0 and ${weightMax}`);
  one.end();
  const isMeant = (candidate: string): boolean => candidate === name || (name === "*" && !isOn);
  let known = name === "*" && !isOn ? 1 : 0;
  if (point === "score" || point === "multiPoint") {
    for (const score of Object.keys(draft.weights).filter(isMeant)) {
      draft.weights[score as ScoreName] = isOn ? weight : 0;
      known += 1;
    }
  }
  if (point === "filter" || point === "multiPoint") {
    for (const filter of filterNames.filter(isMeant)) {
      draft.filters[filter] = isOn;
      known += 1;
    }
  }
  if ((point === "postFilter" || point === "multiPoint") && isMeant(preemptionPlugin)) {
    draft.preempts = isOn;
    known += 1;
  }
  if (fixedPlugins.has(name) && isOn) return;
  if (fixedPlugins.has(name)) one.problem("name", `"${name}" cannot be left out`);
  else if (known === 0) one.problem("name", `there is no plugin "${name}" at ${point}`);
}

/** The arguments of a plugin, as what they change in a profile. */
type ArgumentsReader = (args: Section) => Partial<Profile>;

const readers: ReadonlyMap<string, ArgumentsReader> = new Map([
  ["NodeResourcesFit", readFit],
  ["PodTopologySpread", readSpread],
  ["InterPodAffinity", readAffinity],
]);

function readFit(args: Section): Partial<Profile> {
  const ignoredResources = new Set(args.texts("ignoredResources"));
  const strategy = args.section("scoringStrategy");
  if (strategy === undefined) return { ignoredResources };
  const type = strategy.text("type") ?? defaultProfile.fit;
  for (const resource of strategy.sections("resources")) {
    const name = resource.neededText("name");
    const weight = resource.integer("weight") ?? 1;
    if ((name !== "cpu" && name !== "memory") || weight !== 1)
      resource.problem("name", "only cpu and memory count, each with weight 1");
    resource.end();
  }
  strategy.end();
  if (type === "LeastAllocated" || type === "MostAllocated") return { ignoredResources, fit: type };
  strategy.problem("type", `"${type}" is not there; LeastAllocated and MostAllocated are`);
  return {};
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#cluster-level-default-constraints */
function readSpread(args: Section): Partial<Profile> {
  const type = args.text("defaultingType") ?? "System";
  const constraints = args.sections("defaultConstraints").map((one) => {
    const topologyKey = one.neededText("topologyKey");
    const whenUnsatisfiable = one.neededText("whenUnsatisfiable");
    const maxSkew = one.integer("maxSkew") ?? 0;
    if (maxSkew < 1) one.problem("maxSkew", "must be at least 1");
    if (whenUnsatisfiable !== "DoNotSchedule" && whenUnsatisfiable !== "ScheduleAnyway")
      one.problem("whenUnsatisfiable", "must be DoNotSchedule or ScheduleAnyway");
    if (one.has("labelSelector")) one.problem("labelSelector", "must not be set: pods of the same controller count");
    one.end();
    return { topologyKey, whenUnsatisfiable, maxSkew };
  });
  if (type !== "System" && type !== "List") args.problem("defaultingType", "must be System or List");
  if (type === "System" && constraints.length > 0)
    args.problem("defaultConstraints", "are there with defaultingType List only");
  return type === "System" ? {} : { spread: { constraints, isSystem: false } };
}

const heldAffinityWeightMax = 100;

function readAffinity(args: Section): Partial<Profile> {
  const heldAffinityWeight = args.integer("hardPodAffinityWeight") ?? defaultProfile.heldAffinityWeight;
  if (heldAffinityWeight < 0 || heldAffinityWeight > heldAffinityWeightMax)
    args.problem("hardPodAffinityWeight", `must be between 0 and ${heldAffinityWeightMax}`);
  return { heldAffinityWeight, heldPreferences: args.flag("ignorePreferredTermsOfExistingPods") !== true };
}

function readExtender(section: Section): ExtenderEndpoint & { readonly ignoredResources: readonly string[] } {
  const urlPrefix = section.neededText("urlPrefix").replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]+/.test(urlPrefix)) section.problem("urlPrefix", "must be an http or https URL");
  const weight = section.integer("weight") ?? 1;
  if (weight < 1 || weight > weightMax) section.problem("weight", `must be between 1 and ${weightMax}`);
  const isSecure = section.flag("enableHTTPS") === true;
  if (isSecure && !urlPrefix.startsWith("https:")) section.problem("enableHTTPS", "needs an https URL");
  const managed = section.sections("managedResources").map((one) => {
    const read = { name: one.neededText("name"), isIgnored: one.flag("ignoredByScheduler") === true };
    one.end();
    return read;
  });
  const verbs = ["filterVerb", "prioritizeVerb", "preemptVerb", "bindVerb"] as const;
  const asked = Object.fromEntries(verbs.flatMap((verb) => (section.has(verb) ? [[verb, section.text(verb)]] : [])));
  const settings: ExtenderSettings = {
    urlPrefix,
    ...asked,
    weight,
    timeoutMs: section.durationMs("httpTimeout") ?? defaultTimeoutMs,
    nodeCacheCapable: section.flag("nodeCacheCapable") === true,
    managedResources: new Set(managed.map(({ name }) => name)),
    ignorable: section.flag("ignorable") === true,
  };
  const tls = readTls(section.section("tlsConfig"));
  section.end();
  return { settings, tls, ignoredResources: managed.filter(({ isIgnored }) => isIgnored).map(({ name }) => name) };
}

function readTls(section: Section | undefined): ExtenderEndpoint["tls"] {
  const pem = (what: string): Pem => {
    const data = section?.text(`${what}Data`);
    const file = section?.text(`${what}File`);
    if (file !== undefined) return { file };
    if (data === undefined) return undefined;
    try {
      return { data: new TextDecoder().decode(decodeBase64(data)) };
    } catch {
      section?.problem(`${what}Data`, "must be base64");
      return undefined;
    }
  };
  const read = {
    insecure: section?.flag("insecure") === true,
    serverName: section?.text("serverName"),
    ca: pem("ca"),
    certificate: pem("cert"),
    key: pem("key"),
  };
  section?.end();
  return read;
}
