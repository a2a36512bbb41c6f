import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import { bucketsTotal } from "#api/delivery/traffic-split.ts";
import type { Split } from "./route-table.ts";
import { pathFault } from "./validate.ts";

const namePattern = /^[A-Za-z0-9_-]{1,64}$/;
const hashKeyPattern = /^[A-Za-z0-9]{8,64}$/;
const runPattern = /^[A-Za-z0-9-]{1,64}$/;
const statusPattern = /^([45][0-9]{2}|[45]xx)$/;
/** What may be copied, and what is unless the split says otherwise: methods that change nothing. */
const mirroredMethods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
const safeMethods = ["GET", "HEAD"];
/** Paths that one split may exclude, and statuses that it may call errors. */
const excludedMax = 100;
const statusesMax = 100;

/** What a TrafficSplit asks for, checked: nothing else of it reaches HAProxy. A text says why it cannot be served. */
export function splitOf({ metadata, spec }: TrafficSplit): Omit<Split, "backends"> | string {
  const user = userOf(spec.users);
  if (user === undefined) {
    return "spec.users must name one cookie, header or JWT claim (letters, digits, - and _, at most 64) or say clientAddress";
  }
  if (!hashKeyPattern.test(spec.hashKey)) return "spec.hashKey must be 8 to 64 letters and digits";
  const { threshold } = spec;
  if (!Number.isInteger(threshold) || threshold < 0 || bucketsTotal < threshold)
    return `spec.threshold must be 0 to ${bucketsTotal}`;
  const { run, testers, newSince } = spec;
  if (run !== undefined && !runPattern.test(run)) return "spec.run must be 1 to 64 letters, digits and -";
  if (testers !== undefined && !(namePattern.test(testers.header) && namePattern.test(testers.value)))
    return "spec.testers must be a header and a value of letters, digits, - and _";
  if (newSince !== undefined && !Number.isSafeInteger(newSince)) return "spec.newSince must be seconds since 1970";
  const excluded = spec.excludedPaths ?? [];
  const fault = excluded.map((path) => pathFault(path)).find((one) => one !== undefined);
  if (fault !== undefined || excludedMax < excluded.length)
    return `spec.excludedPaths cannot be served: ${fault ?? "too many"}`;
  const statuses = spec.errors?.statuses ?? ["5xx"];
  if (statusesMax < statuses.length || !statuses.every((status) => statusPattern.test(status)))
    return "spec.errors.statuses must be like 5xx or 429";
  const slowerThanMs = spec.errors?.slowerThanMs;
  if (slowerThanMs !== undefined && !(Number.isSafeInteger(slowerThanMs) && slowerThanMs > 0))
    return "spec.errors.slowerThanMs must be a positive number of milliseconds";
  const mirror = mirrorOf(spec);
  if (typeof mirror === "string") return mirror;
  return {
    id: `${metadata.namespace}/${metadata.name}`,
    user,
    hashKey: spec.hashKey,
    threshold,
    excluded: excluded.map((path) => path.replace(/\/+$/, "")),
    errorStatuses: statuses.map((status) => status.replace("xx", "")),
    ...(run === undefined ? {} : { run }),
    ...(testers === undefined ? {} : { testers: { header: testers.header.toLowerCase(), value: testers.value } }),
    ...(newSince === undefined ? {} : { newSince }),
    ...(slowerThanMs === undefined ? {} : { slowerThanMs }),
    ...(mirror === undefined ? {} : { mirror }),
  };
}

function mirrorOf({ mirror, run }: TrafficSplit["spec"]): Split["mirror"] | string {
  if (mirror === undefined) return undefined;
  const { threshold, methods = safeMethods } = mirror;
  if (run === undefined) return "spec.mirror needs spec.run: copies are counted";
  if (!Number.isInteger(threshold) || threshold < 0 || bucketsTotal < threshold)
    return `spec.mirror.threshold must be 0 to ${bucketsTotal}`;
  if (!methods.every((method) => mirroredMethods.includes(method)))
    return `spec.mirror.methods must be among ${mirroredMethods.join(", ")}`;
  return { threshold, methods: [...new Set(methods)] };
}

function userOf({ header, cookie, jwtClaim, clientAddress }: TrafficSplit["spec"]["users"]): Split["user"] | undefined {
  const found: Split["user"][] = [];
  if (header !== undefined) found.push({ kind: "header", name: header.toLowerCase() });
  if (cookie !== undefined) found.push({ kind: "cookie", name: cookie });
  if (jwtClaim !== undefined) found.push({ kind: "claim", name: jwtClaim });
  if (clientAddress === true) found.push({ kind: "address", name: "src" });
  const [user] = found;
  return user !== undefined && found.length === 1 && namePattern.test(user.name) ? user : undefined;
}

const letterOf = { cookie: "c", header: "h", claim: "j", address: "a" } as const;

/** The place of the users of a backend (`b0007`): a letter says what tells them apart, a capital one that the split is special. */
export function placeOf(split: Split, backend: string): string {
  const letter = letterOf[split.user.kind];
  return `${isSpecial(split) ? letter.toUpperCase() : letter}${backend.slice(1)}`;
}

/** Whether a split asks for something rare: excluded paths, testers, only new users, slow answers, copies. The others pay nothing. */
export function isSpecial({ testers, newSince, slowerThanMs, excluded, mirror }: Split): boolean {
  const isPlain = testers === undefined && newSince === undefined && slowerThanMs === undefined && mirror === undefined;
  return !isPlain || excluded.length > 0;
}

/** Whether a split changes nothing for any request: nobody is chosen, nobody counted, no cookie set. */
export function isAtRest(split: Split): boolean {
  const { threshold, run, testers, newSince, user } = split;
  const isQuiet = run === undefined && testers === undefined && newSince === undefined;
  return isQuiet && threshold === 0 && user.kind !== "cookie";
}

/** All hashes of users lie below it. */
const hashesTotal = 2 ** 32;

/**
 * What a place stands for, by fields: hashes below the first are chosen; hash key; where the chosen go; the place itself; and
 * while users are counted the names of both sides. Without a target nobody is chosen.
 */
export function splitLine(split: Split, place: string, from: string, to: string | undefined): string {
  const { threshold, hashKey, run } = split;
  const limit = to === undefined ? 0 : Math.ceil((threshold * hashesTotal) / bucketsTotal);
  const sides = run === undefined ? [] : [`${run}/others`, `${run}/chosen`];
  return [limit, hashKey, to ?? from, place, ...sides].join(":");
}

/** How many hashes the line of a place chooses. */
export function limitOf(line: string | undefined): number {
  return Number(line?.split(":", 1)[0] ?? 0);
}

/**
 * The regular expression that takes a user out of `TEXT,PLACE`: no cookie and no claim goes beyond a comma. Without backslash,
 * semicolon and space, which mean something to HAProxy's command line; names are letters, digits, `-` and `_` only.
 */
export function userPattern(place: string, { user: { kind, name }, hashKey }: Pick<Split, "user" | "hashKey">): string {
  // The comment lets another key be another line: what a line says cannot be changed to something with a backslash.
  const ends = `(?#${hashKey})(?=.*,${place}$)`;
  switch (kind) {
    case "cookie":
      // What RFC 6265 calls cookie-octets.
      return `(?s)^${ends}(?:.*?[^A-Za-z0-9_-])?${name}=([]!#-+.-:<-[^-~-]+)`;
    case "header":
      return `(?s)^${ends}(?i)(?:.*?[[:cntrl:]])?${name}:[[:space:]]*([^[:cntrl:]]+)`;
    case "claim":
      return `(?s)^${ends}.*?[^[:alnum:]_-]${name}[^[:alnum:]_:,-]:[[:space:]]*([^[:cntrl:],}]+)`;
    case "address":
      return "";
  }
}

/** The regular expression for the header of testers in `PLACE|HEADERS`. */
export function testerPattern(place: string, { header, value }: { header: string; value: string }): string {
  return `(?s)^${place}[|](?:.*?[[:cntrl:]])?(?i:${header}):[[:space:]]*${value}[[:cntrl:]]`;
}
