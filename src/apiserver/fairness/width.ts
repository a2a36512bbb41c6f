import type { Call } from "../call.ts";
import { endOf } from "../keys.ts";
import { isTrue } from "../stages/route.ts";
import { listSeatsMax, objectsPerSeat } from "./limits.ts";

/** Seats that a request takes: one, and more for lists of many objects, and for watches that begin with as many. */
export function widthOf({ info, parts }: Call): number {
  if (info.verb !== "list" && info.verb !== "watch") return 1;
  if (info.name !== "" || !info.isResource) return 1;
  if (info.verb === "watch" && !beginsWithAll(info.query)) return 1;
  const served = parts.registry.find(info.apiVersion, info.resource);
  if (served === undefined) return 1;
  const from = info.namespace === "" ? served.prefix : `${served.prefix}${info.namespace}/`;
  const count = parts.store.snapshot().count(from, endOf(from));
  const limit = Number(info.query.get("limit") ?? "0");
  const looked = 0 < limit && limit < count ? limit : count;
  return Math.min(listSeatsMax, Math.max(1, Math.ceil(looked / objectsPerSeat)));
}

function beginsWithAll(query: URLSearchParams): boolean {
  const asked = query.get("sendInitialEvents");
  return asked === null ? (query.get("resourceVersion") ?? "0") === "0" : isTrue(asked);
}
