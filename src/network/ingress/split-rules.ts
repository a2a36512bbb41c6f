/**
 * The fixed part of HAProxy's configuration that splits users: everything that differs between TrafficSplits is a map line. A
 * split is a numbered place (`t0001`); whoever reads the lines below needs only that a map turns a place into a property.
 */
export const splitTables = [
  // A user of one side in one run: gpc0 = requests, gpc1 = errors. A key of 32 bits: two of 100,000 users may count as one.
  "backend users",
  "  stick-table type integer size 1m expire 24h store gpc0,gpc1",
  // A side of a run: gpc0 = distinct users, gpc1 = those with an error.
  "backend sides",
  "  stick-table type string len 96 size 4096 expire 24h store gpc0,gpc1,http_req_cnt",
  // The last failed requests, read through the runtime API.
  "ring failures",
  "  format raw",
  "  maxlen 600",
  "  size 65536",
];

const split = "{ var(txn.split) -m found }";
const known = "{ var(txn.user) -m found }";
const counted = "{ var(txn.side_key) -m found }";
/** The split asks for something rare: excluded paths, testers, only new users, slow answers. The others pay nothing for it. */
const special = "{ var(txn.special) -m found }";
const isCookie = "{ var(txn.kind) -m str cookie }";
const chosen = "{ var(txn.side) -m str chosen }";
const hasTarget = "{ var(txn.to) -m found }";

export const splitRequestRules = [
  "  http-request set-var(txn.split) var(txn.backend),map_str(splits.map)",
  `  http-request set-log-level silent unless ${split}`,
  `  http-request set-var(txn.kind) var(txn.split),map_str(kinds.map) if ${split}`,
  `  http-request set-var(txn.special) var(txn.split),map_str(special.map) if ${split}`,
  `  http-request unset-var(txn.kind) if ${special} { var(txn.split),concat(,txn.path,/),map_beg(excluded.map) -m found }`,
  `  http-request unset-var(txn.split) if ${special} !{ var(txn.kind) -m found }`,
  `  http-request set-var(txn.to) var(txn.backend),map_str(chosen.map) if ${split}`,
  // Who asks: the right text of the request, of which a regular expression of the split takes the user.
  `  http-request set-var(txn.source) req.fhdr(cookie) if ${isCookie}`,
  `  http-request set-var(txn.source) req.hdrs if ${split} { var(txn.kind) -m str header }`,
  `  http-request set-var(txn.source) http_auth_bearer,field(2,.),ub64dec if ${split} { var(txn.kind) -m str claim }`,
  `  http-request set-var(txn.source) src if ${split} { var(txn.kind) -m str address }`,
  "  http-request set-var(txn.user) var(txn.split),concat(|,txn.source,),map_regm(users.map) if { var(txn.source) -m found }",
  `  http-request set-var(txn.fresh) uuid() if ${isCookie} !${known}`,
  "  http-request set-var(txn.user) var(txn.fresh) if { var(txn.fresh) -m found }",
  // The user's bucket, and whether it lies below the threshold.
  `  http-request set-var(txn.bucket) var(txn.split),map_str(salts.map),concat(|,txn.user,),xxh32,mod(10000) if ${known}`,
  `  http-request set-var(txn.side) str(others) if ${known}`,
  "  http-request set-var(txn.side) str(chosen)" +
    ` if ${known} ${hasTarget} { var(txn.split),map_str_int(thresholds.map,0),sub(txn.bucket) -m int gt 0 }`,
  // Only new users: a cookie tells since when we know this one.
  `  http-request set-var(txn.new_since) var(txn.split),map_str_int(new.map) if ${special} ${known}`,
  `  http-request set-var(txn.since) req.cook_val(steersman-since) if ${special} { var(txn.new_since) -m found }`,
  `  http-request set-var(txn.since_new) date() if ${special} { var(txn.new_since) -m found } !{ var(txn.since) -m found }`,
  `  http-request set-var(txn.since) var(txn.since_new) if ${special} { var(txn.since_new) -m found }`,
  `  http-request set-var(txn.side) str(others) if ${special} { var(txn.since),sub(txn.new_since) -m int lt 0 }`,
  // Users are counted on the side where they are; testers are not.
  `  http-request set-var(txn.side_key) var(txn.split),map_str(runs.map),concat(/,txn.side,) if ${known}`,
  `  http-request set-var(txn.headers) req.hdrs if ${special} { var(txn.split),map_str(tested.map) -m found }`,
  "  http-request set-var(txn.tester) var(txn.split),concat(|,txn.headers,),map_reg(testers.map)" +
    ` if ${special} { var(txn.headers) -m found }`,
  `  http-request unset-var(txn.side_key) if ${special} { var(txn.tester) -m found }`,
  `  http-request set-var(txn.start) date(0,ms) if ${special} ${counted}`,
  `  http-request track-sc0 var(txn.side_key),concat(/,txn.user,),xxh32 table users if ${counted}`,
  `  http-request track-sc1 var(txn.side_key) table sides if ${counted}`,
  `  http-request sc-inc-gpc0(1) if ${counted} { sc_inc_gpc0(0) eq 1 }`,
  `  http-request set-var(txn.backend) var(txn.to) if ${chosen}`,
  `  http-request set-var(txn.backend) var(txn.to) if ${special} { var(txn.tester) -m found } ${hasTarget}`,
];

const failed = "{ var(txn.failed) -m found }";
const fresh = "{ var(txn.fresh) -m found }";
const attributes = "Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";

export const splitResponseRules = [
  "  http-response set-log-level silent if { status lt 400 }",
  // After every answer, also those of HAProxy itself when no server gives one.
  `  http-after-response set-var(txn.status) status if { status ge 400 } ${counted}`,
  "  http-after-response set-var(txn.failed) var(txn.split),concat(:,txn.status,),map_beg(errors.map)" +
    " if { var(txn.status) -m found }",
  `  http-after-response set-var(txn.slow) var(txn.split),map_str_int(slow.map) if ${special} ${counted}`,
  `  http-after-response set-var(txn.failed) str(slow) if ${special} { date(0,ms),sub(txn.start),sub(txn.slow) -m int gt 0 }`,
  `  http-after-response set-var(txn.counted) sc_inc_gpc1(1) if ${failed} { sc_inc_gpc1(0) eq 1 }`,
  `  http-after-response set-var(txn.cookie) var(txn.split),map_str(cookies.map) if ${fresh}`,
  `  http-after-response add-header Set-Cookie "%[var(txn.cookie)]=%[var(txn.fresh)]; ${attributes}" if ${fresh}`,
  `  http-after-response add-header Set-Cookie "steersman-since=%[var(txn.since)]; ${attributes}"` +
    ` if ${special} { var(txn.since_new) -m found }`,
];

export const splitLogLines = [
  "  log ring@failures format raw local0",
  '  log-format "%[var(txn.side_key)] %ST %HM %[var(txn.path),bytes(0,200)] %Ta"',
];
