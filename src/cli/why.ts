import { builtInResources } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";

/** One write, as the API server recorded it in the same transaction. */
export interface WriteRecord {
  readonly resourceVersion: string;
  readonly time: string;
  readonly user: string;
  readonly verb: string;
  readonly subresource?: string;
  readonly object: { readonly kind: string; readonly namespace?: string; readonly name: string };
  /** Of automatic writes: the loop, the rule that fired, the object at the revision that made it act. */
  readonly actor?: string;
  readonly rule?: string;
  readonly because?: string;
  /** Of people's writes. */
  readonly userAgent?: string;
  readonly changed?: readonly string[];
}

/** Resources in which controllers make objects for others, from the outside in. */
const dependentResources = ["replicasets", "jobs", "pods", "endpointslices", "controllerrevisions"];
const recordsPerObjectMax = 50;
const objectsMax = 200;
const parallelMax = 16;

export class UnknownResourceError extends Error {
  override readonly name = "UnknownResourceError";
}

/** The resource that a word of the command line names: plural, singular, kind or short name. Throws `UnknownResourceError`. */
export function resourceNamed(word: string): Resource<unknown> {
  const lower = word.toLowerCase();
  const [name = "", ...groupParts] = lower.split(".");
  const group = groupParts.join(".");
  const found = builtInResources.find(
    (resource) =>
      (group === "" || resource.group === group) &&
      (resource.resource === name || resource.kind.toLowerCase() === name || resource.shortNames.includes(name)),
  );
  if (found === undefined) throw new UnknownResourceError(`there is no resource "${word}"`);
  return found;
}

export interface WhyQuery {
  readonly resource: Resource<unknown>;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Everything that was written about an object and what was made for it, oldest first. Empty when nothing is known. */
export async function collectWhy(client: Client, query: WhyQuery): Promise<WriteRecord[]> {
  const subjects = [subjectOf(query.resource, query.namespace, query.name)];
  const object = (await client.find(query.resource, query)) as ApiObject | undefined;
  if (object?.metadata.uid !== undefined) subjects.push(...(await dependents(client, query, object.metadata.uid)));
  const records: WriteRecord[] = [];
  for (let at = 0; at < subjects.length; at += parallelMax) {
    const lists = await Promise.all(subjects.slice(at, at + parallelMax).map((subject) => recordsOf(client, subject)));
    records.push(...lists.flat());
  }
  return records.sort((a, b) => Number(a.resourceVersion) - Number(b.resourceVersion));
}

/** Subjects of all objects that are owned, directly or not, by an object. */
async function dependents(client: Client, query: WhyQuery, uid: string): Promise<string[]> {
  if (query.namespace === undefined) return [];
  const owners = new Set([uid]);
  const subjects: string[] = [];
  for (const name of dependentResources) {
    const resource = resourceNamed(name);
    const { items } = await client.list(resource, { namespace: query.namespace });
    for (const item of items as ApiObject[]) {
      const isOwned = item.metadata.ownerReferences?.some((owner) => owners.has(owner.uid)) ?? false;
      if (!isOwned || subjects.length >= objectsMax) continue;
      owners.add(item.metadata.uid ?? "");
      subjects.push(subjectOf(resource, query.namespace, item.metadata.name ?? ""));
    }
  }
  return subjects;
}

async function recordsOf(client: Client, subject: string): Promise<WriteRecord[]> {
  const path = `/apis/steersman.dev/v1/records?subject=${encodeURIComponent(subject)}&limit=${recordsPerObjectMax}`;
  const { items } = (await client.request("GET", path)) as { items: WriteRecord[] };
  return items;
}

function subjectOf(resource: Resource<unknown>, namespace: string | undefined, name: string): string {
  return `${resource.group}/${resource.resource}/${resource.namespaced ? (namespace ?? "default") : ""}/${name}`;
}

const pastTense: Readonly<Record<string, string>> = {
  create: "created",
  update: "changed",
  patch: "changed",
  apply: "applied",
  delete: "deleted",
  deletecollection: "deleted",
  bind: "bound",
};

/** The chain as text: time, who, what, and below it the rule that fired and what made it look. */
export function renderWhy(records: readonly WriteRecord[]): string {
  return records
    .map((record) => {
      const who = record.actor ?? personOf(record);
      const part = record.subresource === undefined ? "" : ` (${record.subresource})`;
      const what = `${pastTense[record.verb] ?? record.verb} ${record.object.kind.toLowerCase()}/${record.object.name}${part}`;
      const head = `${record.time.slice(11, 23)}  ${who} ${what}`;
      const details = [
        ...(record.rule === undefined ? [] : [record.rule]),
        ...(record.changed === undefined || record.changed.length === 0
          ? []
          : [`changed ${record.changed.join(", ")}`]),
        ...(record.because === undefined ? [] : [`because of ${record.because}`]),
      ];
      return `${head}\n${details.map((detail) => `              ${detail}\n`).join("")}`;
    })
    .join("");
}

function personOf(record: WriteRecord): string {
  const program = record.userAgent?.split(/[/ ]/)[0];
  return program === undefined || program === "" ? record.user : `${record.user} with ${program}`;
}
