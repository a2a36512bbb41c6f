import { runCanarySeed } from "#sim/canary-seed.ts";
import { machine } from "./machine.ts";
const r = await runCanarySeed("2", machine, (line: unknown) => console.log(line));
console.log(r.violation, r.outcomes);
