/**
 * The fixed part of HAProxy's configuration that measures: by place of a route, version, class of the status and time until the answer
 * began, how many requests there were, and who asked. HAProxy has no histograms; an entry of a table for each is what they come to,
 * and a process of ours that is not there loses none. The key says all, so counting is the tracking itself, without a rule more.
 */

/** Microseconds until an answer began, ends of buckets. Finer than those that are shown: the sum of the times comes from them. */
export const bucketEndsUs: readonly number[] = [
  250, 500, 750, 1_000, 1_500, 2_000, 2_500, 3_500, 5_000, 7_500, 10_000, 15_000, 25_000, 35_000, 50_000, 75_000,
  100_000, 150_000, 250_000, 350_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_500_000, 3_500_000, 5_000_000,
  7_500_000, 10_000_000, 15_000_000, 30_000_000, 60_000_000,
];

/** Registers of the sketch (HyperLogLog) that counts users: the low bits of a user's hash choose one. */
export const userRegisters = 512;
const registerBits = Math.log2(userRegisters);
const rankMax = 32 - registerBits + 1;

/** Entries: a place of a route has some ten for each version. The oldest go first. */
const trafficEntries = "64k";
/** A user is one of now for as long. */
export const usersWindowSeconds = 300;
const usersEntries = "64k";

/** What the key of an entry consists of: room for the classes of a status, and for the buckets. */
const classRoom = 8;
const bucketRoom = 64;

/** What is counted under a key of the table `traffic`: the number of it, the class of the status (2: 200 to 299) and the bucket. */
export function readTrafficKey(key: string): {
  readonly number: number;
  readonly statusClass: number;
  readonly bucket: number;
} {
  const counted = Number(key);
  const ofClass = Math.floor(counted / bucketRoom);
  return { number: Math.floor(ofClass / classRoom), statusClass: ofClass % classRoom, bucket: counted % bucketRoom };
}

export const trafficTables = [
  // By the keys that `readTrafficKey` reads: conn_cnt = requests.
  "backend traffic",
  `  stick-table type integer size ${trafficEntries} store conn_cnt`,
  // `REGISTER.RANK.NUMBER`: there is an entry while some user of the last minutes has it.
  "backend visitors",
  `  stick-table type string len 32 size ${usersEntries} expire ${usersWindowSeconds}s`,
];

export const trafficRequestRules = ["  http-request set-var(txn.begun) date(0,us)"];

/** A route is a place and, behind a point, the number under which its requests are counted. */
export const placeRule = "  http-request set-var(txn.to) var(txn.route),field(1,.)";

export const trafficResponseRules = [
  "  http-response set-var(txn.took) date(0,us),sub(txn.begun),map_int_int(buckets.map,0)",
  "  http-response set-var(txn.class) status,div(100)",
  "  http-response track-sc2 bc_dst,concat(/,txn.number),map_str_int(counted.map,0)," +
    `mul(${classRoom}),add(txn.class),mul(${bucketRoom}),add(txn.took) table traffic`,
];

const due = "{ var(txn.who) -m found }";

/**
 * Defaults of the backends, so that these rules come when the frontend is done with the route, however it left. Who asks is looked at
 * once a minute and connection, and when the backend or the side is another. Their version is that of all pods there, if it is one:
 * without a split nobody's is the same for long while there are two.
 */
export const trafficDefaults = [
  "defaults counted from usual",
  "  http-request set-var(txn.number) var(txn.route),field(2,.)",
  "  http-request set-var(txn.who) src,xxh32(7)" +
    " unless { var(txn.begun),sub(sess.until) -m int lt 0 } { var(txn.to),strcmp(sess.to) eq 0 }",
  `  http-request set-var(sess.until) var(txn.begun),add(60000000) if ${due}`,
  `  http-request set-var(sess.to) var(txn.to) if ${due}`,
  `  http-request set-var(txn.rank) var(txn.who),map_int(ranks.map,${rankMax}) if ${due}`,
  `  http-request set-var(txn.count) var(txn.to),concat(/,txn.number),map_str(counted.map,0) if ${due}`,
  `  http-request set-var(txn.mark) var(txn.who),and(${userRegisters - 1}),concat(.,txn.rank,.),concat(,txn.count) if ${due}`,
];

/** Ends the name of a backend's section, and follows it. What is stored here is tracked by nobody: splits keep their counters. */
export const trafficBackendName = "from counted";
export const trafficBackendRules = ["  stick store-request var(txn.mark) table visitors if { var(txn.mark) -m found }"];

/** By the range of microseconds, the number of its bucket. */
export const bucketLines: ReadonlyMap<string, string> = new Map(
  [...bucketEndsUs, undefined].map((end, index) => {
    const from = index === 0 ? 0 : (bucketEndsUs[index - 1] ?? 0) + 1;
    return [`${from}:${end ?? ""}`, String(index)] as const;
  }),
);

/** By the range of a user's hash, how many of its bits are 0 before the first 1, and 1: a rank is half as frequent as the one before. */
export const rankLines: ReadonlyMap<string, string> = new Map(
  Array.from({ length: rankMax - 1 }, (_, index) => {
    return [`${2 ** (31 - index)}:${2 ** (32 - index) - 1}`, String(index + 1)] as const;
  }),
);
