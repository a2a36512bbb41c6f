import type { Pod, ResourceQuota } from "#api/generated/core-v1.ts";
import { pods, resourcequotas } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { addAmounts, type Amounts } from "#api/pod-resources.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  quantityFromInteger,
  quantityOf,
  subtractQuantities,
  type Quantity,
} from "#codec/quantity.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { countsForQuota, inScope, unstated, usageOf } from "./quota-usage.ts";
import { allow, forbid, isAbout } from "./request.ts";

/**
 * Keeps the objects of a namespace within its quotas. What is used is counted from the stored objects themselves, against
 * head. This is the last step and synchronous, so that the write it lets pass is accepted in the same turn: concurrent
 * creations cannot both take the last place. (`status.used` is for people: the quota controller writes it.)
 */
export function resourceQuota(objects: ObjectReader): AdmissionPlugin {
  const remembered = new WeakMap<ApiObject, Amounts>();
  const usage = (request: AdmissionRequest, object: ApiObject): Amounts => {
    const known = remembered.get(object);
    if (known !== undefined) return known;
    const fresh = usageOf(request.group, request.resource, object);
    remembered.set(object, fresh);
    return fresh;
  };
  return {
    name: "ResourceQuota",
    validate(request) {
      if (request.namespace === "" || request.object === undefined || request.operation === "DELETE") return allow;
      if (request.subresource !== "" && !isAbout(request, pods, "resize")) return allow;
      const quotas = listStored(objects, resourcequotas, request.namespace);
      for (const quota of quotas) {
        const refused = judge(quota, request, objects, usage);
        if (refused !== undefined) return refused;
      }
      return allow;
    },
  };
}

const zero = quantityFromInteger(0);

type Usage = (request: AdmissionRequest, object: ApiObject) => Amounts;

function judge(
  quota: ResourceQuota,
  request: AdmissionRequest,
  objects: ObjectReader,
  usage: Usage,
): Verdict | undefined {
  const { group, resource, object, oldObject, now } = request;
  if (object === undefined || !inScope(quota, group, resource, object)) return undefined;
  const hard = quota.spec.hard ?? {};
  const name = quota.metadata.name ?? "";
  if (isAbout(request, pods) && request.operation === "CREATE") {
    const missing = unstated(object as Pod & ApiObject, Object.keys(hard));
    if (missing.size !== 0) {
      const list = [...missing].map(([what, containers]) => `${what} for: ${containers.join(",")}`);
      return forbid(`failed quota: ${name}: must specify ${list.join("; ")}`);
    }
  }
  // The object as it is judged is not stored yet, and a plugin before may have changed it: it is counted afresh.
  const asked = usageOf(group, resource, object);
  const before =
    oldObject === undefined || !inScope(quota, group, resource, oldObject) ? {} : usage(request, oldObject);
  const grown = growth(asked, before, Object.keys(hard));
  if (grown.length === 0) return undefined;
  const used: Amounts = {};
  for (const stored of objects.list({ group, resource }, request.namespace)) {
    const counts = countsForQuota(group, resource, stored, now) && inScope(quota, group, resource, stored);
    if (counts) addAmounts(used, pick(usage(request, stored), grown));
  }
  const exceeded = grown.filter((what) => {
    const total = addQuantities(difference(asked[what], before[what]), used[what] ?? zero);
    return 0 < compareQuantities(total, quantityOf(hard[what] ?? "0"));
  });
  if (exceeded.length === 0) return undefined;
  const list = (of: (what: string) => string): string =>
    [...exceeded]
      .sort()
      .map((what) => `${what}=${of(what)}`)
      .join(",");
  const requested = list((what) => formatQuantity(difference(asked[what], before[what])));
  const [taken, limited] = [list((what) => formatQuantity(used[what] ?? zero)), list((what) => hard[what] ?? "0")];
  return forbid(`exceeded quota: ${name}, requested: ${requested}, used: ${taken}, limited: ${limited}`);
}

/** The names that a quota counts and of which the object takes more than before: only they can be too much. */
function growth(asked: Amounts, before: Amounts, counted: readonly string[]): string[] {
  return counted.filter(
    (what) => asked[what] !== undefined && 0 < compareQuantities(asked[what], before[what] ?? zero),
  );
}

function difference(asked: Quantity = zero, before: Quantity = zero): Quantity {
  return subtractQuantities(asked, before);
}

function pick(amounts: Amounts, names: readonly string[]): Amounts {
  return Object.fromEntries(names.flatMap((name) => (amounts[name] === undefined ? [] : [[name, amounts[name]]])));
}
