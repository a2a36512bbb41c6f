import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

/** Writes of one object in one virtual minute beyond these are a hot loop: so many, and so many more for each wish of the user. */
const writesPerMinuteMax = 40;
const writesPerWishMax = 12;
const minuteMs = 60_000;

/** 30: loops pin what they delete. 31: no hot loop. 33: one controlling owner, and adoption only of what is wanted. */
export function writeChecker(view: View, report: Report): Checker {
  const counts = new Map<string, number>();
  let minute = 0;
  let wishes = 0;
  return {
    name: "writes",
    requested(client, { method, target, body }) {
      if (client === "user" && method !== "GET") wishes += 1;
      if (method !== "DELETE" || client !== "controllers") return;
      const options = (body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body))) as {
        preconditions?: { uid?: string };
      };
      if (options.preconditions?.uid === undefined)
        report("30 preconditions", `a controller deletes ${target} without saying which uid`);
    },
    changed(changes) {
      for (const change of changes) {
        const now = Math.floor(change.atMs / minuteMs);
        if (now !== minute) {
          counts.clear();
          minute = now;
          wishes = 0;
        }
        const count = (counts.get(change.key) ?? 0) + 1;
        counts.set(change.key, count);
        if (count > writesPerMinuteMax + wishes * writesPerWishMax)
          report("31 hot loop", `${change.key} was written ${count} times in a minute`);
        checkOwners(change, view, report);
      }
    },
  };
}

function checkOwners({ key, current, before, revision }: Change, view: View, report: Report): void {
  if (current === undefined) return;
  const owners = controllersOf(current);
  if (owners.length > 1) report("33 owners", `${key} has ${owners.length} controllers at ${revision}`);
  const [owner] = owners;
  if (owner === undefined || before === undefined || controllersOf(before)[0]?.uid === owner.uid) return;
  // It was adopted.
  const kind = `apps/${owner.kind.toLowerCase()}s`;
  const adopter = view.history.all(kind).get(`/registry/${kind}/${current.metadata.namespace}/${owner.name}`);
  if (adopter === undefined || adopter.metadata.uid !== owner.uid) {
    report(
      "33 owners",
      `${key} was adopted at ${revision} by ${owner.kind} ${owner.name} of uid ${owner.uid}, which does not exist`,
    );
  } else if (adopter.metadata.deletionTimestamp !== undefined) {
    report("33 owners", `${key} was adopted at ${revision} by ${owner.kind} ${owner.name}, which is being deleted`);
  } else if (!isSelected(adopter, current)) {
    report("33 owners", `${key} was adopted at ${revision} by ${owner.kind} ${owner.name}, which does not select it`);
  }
}

function controllersOf({ metadata }: Stored): { readonly uid: string; readonly kind: string; readonly name: string }[] {
  return (metadata.ownerReferences ?? []).filter(({ controller }) => controller === true);
}

function isSelected(owner: Stored, object: Stored): boolean {
  const { matchLabels = {} } = (owner.spec?.["selector"] ?? {}) as { matchLabels?: Record<string, string> };
  return Object.entries(matchLabels).every(([name, value]) => object.metadata.labels?.[name] === value);
}
