import type { LimitRangeItem, ResourceRequirements } from "#api/generated/core-v1.ts";
import { compareQuantities, quantityOf, quantityToNumber } from "#codec/quantity.ts";

type Amounts = Readonly<Record<string, string>> | undefined;

/** What an object of `type` (`Container`, `Pod`, `PersistentVolumeClaim`) does against one item of a LimitRange, in words. */
export function violations(
  item: LimitRangeItem,
  resources: Pick<ResourceRequirements, "limits" | "requests">,
): string[] {
  const { requests, limits } = resources;
  const out: string[] = [];
  for (const [name, bound] of Object.entries(item.min ?? {}))
    out.push(...below(item.type, name, bound, requests, limits));
  for (const [name, bound] of Object.entries(item.max ?? {}))
    out.push(...above(item.type, name, bound, requests, limits));
  for (const [name, bound] of Object.entries(item.maxLimitRequestRatio ?? {}))
    out.push(...beyondRatio(item.type, name, bound, requests, limits));
  return out;
}

function below(type: string, name: string, bound: string, requests: Amounts, limits: Amounts): string[] {
  const sentence = `minimum ${name} usage per ${type} is ${bound}`;
  const request = requests?.[name];
  const limit = limits?.[name];
  if (request === undefined) return [`${sentence}.  No request is specified`];
  if (less(request, bound)) return [`${sentence}, but request is ${request}`];
  return limit !== undefined && less(limit, bound) ? [`${sentence}, but limit is ${limit}`] : [];
}

function above(type: string, name: string, bound: string, requests: Amounts, limits: Amounts): string[] {
  const sentence = `maximum ${name} usage per ${type} is ${bound}`;
  // Claims have no limits: what they ask for is what they use.
  const limit = type === "PersistentVolumeClaim" ? requests?.[name] : limits?.[name];
  const request = requests?.[name];
  if (limit === undefined) return [`${sentence}.  No limit is specified`];
  if (less(bound, limit))
    return [`${sentence}, but ${type === "PersistentVolumeClaim" ? "request" : "limit"} is ${limit}`];
  return request !== undefined && less(bound, request) ? [`${sentence}, but request is ${request}`] : [];
}

function beyondRatio(type: string, name: string, bound: string, requests: Amounts, limits: Amounts): string[] {
  const sentence = `${name} max limit to request ratio per ${type} is ${bound}`;
  const request = requests?.[name] === undefined ? 0 : quantityToNumber(quantityOf(requests[name]));
  const limit = limits?.[name] === undefined ? 0 : quantityToNumber(quantityOf(limits[name]));
  if (request === 0) return [`${sentence}, but no request is specified or request is 0`];
  if (limit === 0) return [`${sentence}, but no limit is specified or limit is 0`];
  const ratio = limit / request;
  return quantityToNumber(quantityOf(bound)) < ratio ? [`${sentence}, but provided ratio is ${ratio.toFixed(6)}`] : [];
}

function less(a: string, b: string): boolean {
  return compareQuantities(quantityOf(a), quantityOf(b)) < 0;
}
