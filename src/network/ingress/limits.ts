/** Hosts and paths in the route table; an Ingress that would go beyond is reported. */
export const routesMax = 50_000;
/** Bytes of one path: HAProxy's line of a command holds 16 KiB. */
export const pathBytesMax = 2_000;
/** Backends that HAProxy has places for at first; doubled by a reload when they run out. */
export const backendSlotsFirst = 64;
export const backendSlotsMax = 8_192;
/** The same for backends that pods reach as Services; their numbers come after all others. */
export const podSlotsBase = 8_192;
export const podSlotsFirst = 16;
export const podSlotsMax = 1_024;
/** Milliseconds that a client of a Service may say nothing, and that a pod may take for an answer: rules alone would wait for ever. */
export const podIdleMs = 600_000;
export const podAnswerMs = 3_600_000;
/** Seconds that a client stays with its server where a Service wants that, and clients remembered for each backend. */
export const podStickySeconds = 10_800;
export const podStickyClientsMax = 102_400;
/** Servers of one backend; endpoints beyond get no requests. */
export const serversPerBackendMax = 250;
/** Seconds that HAProxy keeps idle connections to a server: what it does for servers in its configuration. */
export const idleServerSeconds = 5;
/** Bytes of one certificate chain with its key. */
export const certificateBytesMax = 64 << 10;
/** Milliseconds for one command of the runtime API. */
export const commandTimeoutMs = 10_000;
/** Bytes of one command's answer. */
export const answerBytesMax = 64 << 20;
/** Map lines sent in one command. */
export const linesPerCommand = 100;
/** Milliseconds that others wait for a Secret that cannot be read: then it counts as missing. */
export const secretTimeoutMs = 2_000;
/** Milliseconds that HAProxy gets to answer its socket after a start, and to end after a stop. */
export const startTimeoutMs = 10_000;
export const stopTimeoutMs = 10_000;
export const startPollMs = 20;
/** Milliseconds between two looks at the counters of TrafficSplits, while one counts. */
export const countPollMs = 200;
/** Milliseconds until the next look after one that failed. */
export const countRetryMs = 1_000;
/** Milliseconds between two tellings of numbers that speak of no new error. */
export const countSpacingMs = 1_000;
/** Milliseconds after which unchanged counters are told again: whoever judges them knows that we are alive. */
export const countHeartbeatMs = 4_000;
/** Bytes of a request's body that is copied, and of the line in which HAProxy hands over a copy. */
export const mirrorBodyBytesMax = 4_096;
export const mirrorLineBytesMax = 16_384;
/** Copies of requests that wait, are under way, and begin in a second: beyond them copies are dropped. */
export const mirrorQueueMax = 100;
export const mirrorsUnderWayMax = 32;
export const mirrorsPerSecondMax = 200;
/** Milliseconds that a copy may wait: later it would say nothing of now. */
export const mirrorWaitMs = 1_000;
/** Milliseconds that a server gets to take a copy, and to answer it to the end. */
export const mirrorConnectMs = 1_000;
export const mirrorAnswerMs = 5_000;
/** Bytes of an answer to a copy that are read and thrown away, and of what comes before its status. */
export const mirrorAnswerBytesMax = 4 << 20;
export const mirrorAnswerHeadBytesMax = 16_384;
/** Characters of one line of a followed command. */
export const followedLineMax = 65_536;
/** Routes with their versions that keep their number, also after the last pod, so that what was counted of them stays. */
export const countedMax = 2_000;
/** Failed requests told as samples, and characters of each. */
export const samplesMax = 5;
export const sampleCharactersMax = 300;
/** Requests that HAProxy holds for workloads without pods: all together, and for one backend. Each has at most a buffer of 16 KiB. */
export const heldRequestsMax = 1_000;
export const heldPerPlaceMax = 250;
/** Milliseconds that a request is held at most; then it is answered 503 with the seconds after which to ask again. */
export const holdTimeoutMs = 60_000;
export const holdRetryAfterSeconds = 5;
/** Milliseconds between two looks of a held request, while few are held; and between two tellings that requests wait. */
export const holdLookMs = 20;
export const holdTellMs = 1_000;
/** Milliseconds that a reload waits at most for requests that are held: as long as they may be; and how often it is tried. */
export const reloadWaitMs = holdTimeoutMs + 2_000;
export const reloadLookMs = 250;
/** Milliseconds until a demand that could not be written is tried again. */
export const demandRetryMs = 1_000;
/** Milliseconds after a telling during which requests count as waiting. */
export const waitingMs = 3_000;
/** Milliseconds that an older process of HAProxy lives at most after a reload: its `hard-stop-after`. */
export const retiringMs = 3_600_000;
/** Counted answers (route, version, class, duration) that are carried over a reload. Some 20 bytes each in a file. */
export const carriedEntriesMax = 65_536;
/** Times that counters are read anew when HAProxy was reloaded meanwhile. */
export const countersReadMax = 3;
