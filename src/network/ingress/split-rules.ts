/**
 * The fixed part of HAProxy's configuration that splits users: everything that differs between TrafficSplits is a map line. A
 * split backend has a place (`c0007`) instead of its own name (`b0007`); its line (`split.ts`) tells the rest. The order is one of
 * cost: the usual split is done, and leaves by `allow`, before anything that only special ones ask for.
 */
export const splitTables = [
  // A user of one side in one run: gpc0 = requests, gpc1 = errors. A key of 32 bits: two of 100,000 users may count as one.
  "backend users",
  "  stick-table type integer size 1m expire 24h store gpc0,gpc1",
  // A side of a run: gpc0 = distinct users, gpc1 = those with an error.
  "backend sides",
  "  stick-table type string len 96 size 4096 expire 24h store gpc0,gpc1",
  // The last failed requests, read through the runtime API.
  "ring failures",
  "  format raw",
  "  maxlen 600",
  "  size 65536",
];

const split = "{ var(txn.split) -m found }";
const known = "{ var(txn.user) -m found }";
const fresh = "{ var(txn.fresh) -m found }";
const special = "{ var(txn.special) -m found }";
/** Where the chosen go is a backend's own name: by it they are told from the others. */
const isChosen = "{ var(txn.to) -m beg b }";

/** Of the right text of the request a regular expression of the split takes the user, and puts the hash key before it. */
const taken = "concat(',',txn.to,),map_regm(users.map)";

const cookieRule = (letters: string): string =>
  `  http-request set-var(txn.user) "req.fhdr(cookie),${taken}" if { var(txn.to) -m beg ${letters} }`;
const headerAndClaimRules = [
  `  http-request set-var(txn.user) "req.hdrs,${taken}" if { var(txn.to) -m beg h H }`,
  `  http-request set-var(txn.user) "http_auth_bearer,field(2,.),ub64dec,${taken}" if { var(txn.to) -m beg j J }`,
];
/** Whose address it is follows from who asks us. */
const addressRules = (address: string): string[] => [
  `  http-request set-var(txn.address) ${address} if { var(txn.to) -m beg a A }`,
  "  http-request set-var(txn.user) var(txn.split),field(2,:),concat(|,txn.address,) if { var(txn.address) -m found }",
];
/** Who has no cookie gets one. */
const freshRules = (letters: string): string[] => [
  `  http-request set-var(txn.fresh) uuid() if { var(txn.to) -m beg ${letters} } !${known}`,
  `  http-request set-var(txn.user) var(txn.split),field(2,:),concat(|,txn.fresh,) if ${fresh}`,
  `  http-request set-var(txn.after) bool(true) if ${fresh}`,
];

const splitRule = "  http-request set-var(txn.split) var(txn.to),map_str(splits.map)";
const hashRule = "  http-request set-var(txn.hash) var(txn.user),xxh32";

const sideRules = [
  `  http-request set-var(txn.side) var(txn.split),field(5,:) if ${known}`,
  // The user's hash lies below the limit of the split.
  "  http-request set-var(txn.to) var(txn.split),field(3,:) if { var(txn.split),field(1,:),sub(txn.hash) -m int gt 0 }",
  `  http-request set-var(txn.side) var(txn.split),field(6,:) if ${isChosen}`,
];

/** A user is counted on the side where it is; without a side nobody is. */
const countRules = [
  "  http-request track-sc0 var(txn.side),concat(/,txn.user,),xxh32 table users",
  "  http-request track-sc1 var(txn.side) table sides",
  "  http-request sc-inc-gpc0(1) if { sc_inc_gpc0(0) eq 1 }",
];

/** For the sample, should a request of the chosen fail: what a log line itself could remember is remembered of every request. */
const sampleRules = [
  `  http-request set-var-fmt(txn.what) "%[method] %[path,bytes(0,200)]" if ${isChosen}`,
  `  http-request set-log-level info if ${isChosen}`,
];

/** Since when we know a user, as a cookie tells; who has none is new. */
const sinceRules = [
  "  http-request set-var(txn.since_new) date() if { var(txn.new_since) -m found } !{ var(txn.since) -m found }",
  "  http-request set-var(txn.since) var(txn.since_new) if { var(txn.since_new) -m found }",
];

/** The same for a split that asks for something rare, with what it asks for. */
const specialRules = (whoRules: readonly string[], unknownSinceRules: readonly string[]): string[] => [
  "  http-request set-var(txn.special) var(txn.to),map_str(special.map)",
  `  http-request allow unless ${special}`,
  "  http-request set-var(txn.path) path",
  // Excluded paths: nobody is anybody there.
  "  http-request set-var(txn.excluded) var(txn.to),concat(,txn.path,/),map_beg(excluded.map)",
  "  http-request allow if { var(txn.excluded) -m found }",
  "  http-request set-var(txn.after) bool(true)",
  "  http-request set-var(txn.split) var(txn.special)",
  "  http-request set-var(txn.place) var(txn.to)",
  "  http-request set-var(txn.start) date(0,ms)",
  ...whoRules,
  hashRule,
  // Only new users: a cookie tells since when we know this one.
  `  http-request set-var(txn.new_since) var(txn.place),map_str_int(new.map) if ${known}`,
  "  http-request set-var(txn.since) req.cook_val(steersman-since) if { var(txn.new_since) -m found }",
  ...unknownSinceRules,
  "  http-request unset-var(txn.hash) if { var(txn.since),sub(txn.new_since) -m int lt 0 }",
  ...sideRules,
  ...sampleRules,
  // Testers go where the chosen go, and are not counted.
  "  http-request set-var(txn.headers) req.hdrs if { var(txn.place),map_str(tested.map) -m found }",
  "  http-request set-var(txn.tester) var(txn.place),concat(|,txn.headers,),map_reg(testers.map)" +
    " if { var(txn.headers) -m found }",
  "  http-request unset-var(txn.side) if { var(txn.tester) -m found }",
  "  http-request set-var(txn.to) var(txn.split),field(3,:) if { var(txn.tester) -m found }",
  ...countRules,
];

export const specialRequestRules = specialRules(
  [cookieRule("C"), ...headerAndClaimRules, ...addressRules("src"), ...freshRules("C")],
  sinceRules,
);

const usualRules = [hashRule, ...sideRules, ...countRules];

/**
 * For a request that has its route; one that is left over has none yet, or a special one. First those by cookie whom we know: they are
 * nearly all, and leave before anybody else is asked for.
 */
export const splitRequestRules = [
  splitRule,
  cookieRule("c"),
  ...usualRules,
  `  http-request allow if ${known} !${isChosen}`,
  ...sampleRules,
  `  http-request allow if ${known}`,
  ...headerAndClaimRules,
  ...addressRules("src"),
  ...freshRules("c"),
  ...usualRules,
  ...sampleRules,
  `  http-request allow if ${split}`,
];

/**
 * For a request that a user's request to another pod has caused: it tells the user as that one did, when the pod passes on what it
 * got, and the first client's address. Who is not told gets what everybody gets, and no cookie. `afterAddress`: before the first `allow`.
 */
export function passedOnRequestRules(afterAddress: string): string[] {
  const [addressRule = "", userRule = ""] = addressRules("req.hdr(x-forwarded-for,1)");
  return [
    splitRule,
    cookieRule("c"),
    ...headerAndClaimRules,
    addressRule,
    afterAddress,
    userRule,
    ...usualRules,
    ...sampleRules,
    `  http-request allow if ${split}`,
    ...specialRules(
      [cookieRule("C"), ...headerAndClaimRules, userRule],
      ["  http-request unset-var(txn.hash) if { var(txn.new_since) -m found } !{ var(txn.since) -m found }"],
    ),
  ];
}

const failed = "{ var(txn.failed) -m found }";
const counted = "{ var(txn.side) -m found }";
const attributes = "Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";

export const splitResponseRules = [
  "  http-response set-log-level silent if { var(txn.what) -m found } { status lt 400 }",
  // After every answer, also those of HAProxy itself when no server gives one.
  "  http-after-response allow if { status lt 400 } !{ var(txn.after) -m found }",
  `  http-after-response set-var(txn.status) status if { status ge 400 } ${counted}`,
  "  http-after-response set-var(txn.failed) var(txn.split),field(4,:),concat(:,txn.status,),map_beg(errors.map)" +
    " if { var(txn.status) -m found }",
  `  http-after-response set-var(txn.slow) var(txn.place),map_str_int(slow.map) if ${special} ${counted}`,
  `  http-after-response set-var(txn.failed) str(slow) if ${special} { date(0,ms),sub(txn.start),sub(txn.slow) -m int gt 0 }`,
  `  http-after-response set-var(txn.counted) sc_inc_gpc1(1) if ${failed} { sc_inc_gpc1(0) eq 1 }`,
  `  http-after-response set-var(txn.cookie) var(txn.split),field(4,:),map_str(cookies.map) if ${fresh}`,
  `  http-after-response add-header Set-Cookie "%[var(txn.cookie)]=%[var(txn.fresh)]; ${attributes}" if ${fresh}`,
  `  http-after-response add-header Set-Cookie "steersman-since=%[var(txn.since)]; ${attributes}"` +
    " if { var(txn.since_new) -m found }",
];

export const splitLogLines = [
  "  log ring@failures format raw local0 info",
  // After the bar follows what only copies need.
  '  log-format "%[var(txn.side)] %ST %[var(txn.what)] %Ta|%Tr %[var(txn.copy)]"',
];
