/**
 * Who may import whom: rooms of src/ and, for each, the rooms whose files it may name. A new room, or a new arrow, is a
 * deliberate change of this table. What is not listed is forbidden.
 */
const loopRooms = ["base", "world", "telemetry", "codec", "cel", "api", "client", "streams", "reconcile"] as const;

export const layers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  world: ["base"],
  telemetry: ["base", "world"],
  cel: ["base", "world"],
  codec: ["base"],
  api: ["base", "codec", "cel"],
  store: ["base", "world", "telemetry"],
  client: ["base", "world", "telemetry", "codec", "api"],
  streams: ["base", "world", "telemetry", "codec", "api"],
  reconcile: ["base", "world", "telemetry", "codec", "api", "client"],
  apiserver: ["base", "world", "telemetry", "codec", "cel", "api", "store", "streams"],
  controllers: loopRooms,
  scheduler: loopRooms,
  node: loopRooms,
  network: loopRooms,
  observability: loopRooms,
  delivery: loopRooms,
  cli: ["base", "world", "telemetry", "codec", "api", "client", "streams"],
  dashboard: ["base", "world", "telemetry", "codec", "api", "client", "streams"],
  cluster: [
    ...loopRooms,
    "store",
    "apiserver",
    "controllers",
    "scheduler",
    "node",
    "network",
    "observability",
    "delivery",
    "dashboard",
  ],
  main: ["*"],
  sim: ["*", "!cli", "!dashboard", "!main"],
};

/** npm packages that a room may import besides `world/node`, which may import any. */
export const packagesAllowed: Readonly<Record<string, readonly string[]>> = {
  codec: ["yaml"],
  apiserver: ["re2js"],
  api: ["re2js"],
  cel: ["re2js"],
};

/** Globals that reach outside the process; only these places may name them. */
export const outsidePlaces: readonly RegExp[] = [
  /^src\/world\/node\//,
  /^src\/store\/[^/]+\//,
  /^src\/main\//,
  /^tools\//,
  /^tests\//,
  /^benches\//,
  /\.test\.ts$/,
];

export const outsideNames: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\bDate\.now\b/, instead: "clock.now()" },
  { pattern: /\bnew Date\(\)/, instead: "clock.now()" },
  { pattern: /\bMath\.random\b/, instead: "random.float()" },
  { pattern: /(?<![.\w])set(Timeout|Interval|Immediate)\b/, instead: "timers.after() or timers.soon()" },
  { pattern: /(?<![.\w])fetch\(/, instead: "http.transport()" },
  {
    pattern:
      /(?<![.\w])process\.(arch|argv|cpuUsage|cwd|env|exit|hrtime|kill|memoryUsage|nextTick|on|once|pid|platform|std\w+|uptime)\b/,
    instead: "world.processes, or a value given by main",
  },
  { pattern: /from "node:/, instead: "an interface of world" },
  { pattern: /(?<![.\w])console\./, instead: "telemetry" },
  { pattern: /(?<![.\w])crypto\.(randomUUID|subtle|getRandomValues)/, instead: "random or crypto of world" },
  { pattern: /\bperformance\.now\b/, instead: "clock.monotonic()" },
];
