import { mirrorBodyBytesMax, mirrorLineBytesMax } from "./limits.ts";

/**
 * The fixed part of HAProxy's configuration that copies requests: a request that is drawn leaves its text in a ring of bounded
 * size, after its answer went out, and that is all: who reads the ring (`mirror.ts`) sends the copies. Nothing waits for a reader;
 * when one is late HAProxy drops what is new and says how much.
 */
export const mirrorTables = ["ring copies", "  format raw", `  maxlen ${mirrorLineBytesMax}`, "  size 1048576"];

/** What is at the end of each line of the log: when it is no copy, nothing of it. */
export const mirrorLogLines = [`  log ring@copies len ${mirrorLineBytesMax} format raw local0 debug`];

const copied = "{ var(txn.copy) -m found }";
const hasBody = "{ req.hdr_val(content-length) gt 0 }";

/** At the end of the rules for special splits: those that copy nothing leave by the first `allow`. */
export const mirrorRequestRules = [
  // Only of what everybody else's pods serve: where the chosen go is a backend's own name.
  "  http-request set-var(txn.mirror) method,concat(:,txn.place,),map_str_int(mirror.map) if !{ var(txn.to) -m beg b }",
  "  http-request set-var(txn.copy) var(txn.split),field(5,:) if { rand(10000),sub(txn.mirror) lt 0 }",
  `  http-request allow unless ${copied}`,
  // Never what is no request alone, or whose body has no known or too great a length: nobody waits for it.
  "  http-request allow if { req.hdr_cnt(upgrade) gt 0 } || { req.hdr_cnt(expect) gt 0 }",
  `  http-request allow if { req.hdr_cnt(transfer-encoding) gt 0 } || { req.hdr_val(content-length) gt ${mirrorBodyBytesMax} }`,
  // As long as a client sends at all: the pods could not answer earlier either.
  `  http-request wait-for-body time 3600s if ${hasBody}`,
  `  http-request set-var(txn.body) req.body,base64 if ${hasBody}`,
  // Without the full stop at its end a line was cut.
  '  http-request set-var-fmt(txn.copy) "%[var(txn.split),field(3,:)] %[var(txn.copy)] %[method] %[pathq,base64]' +
    ' %[req.hdrs,base64] %[var(txn.body)] ."',
  "  http-request set-log-level debug",
];
