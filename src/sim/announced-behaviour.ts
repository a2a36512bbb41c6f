import type { BehaviourOf } from "./simulated-runtime.ts";

const durationAnnotation = "simulated.steersman.dev/runs-for-ms";
const exitCodeAnnotation = "simulated.steersman.dev/exit-code";

/**
 * Lets a pod say what its simulated programs do: for how many milliseconds they run (absent: until stopped) and with which
 * code they end (absent: 0; with commas: one for each attempt, the last for all later ones).
 */
export const announcedBehaviour: BehaviourOf = ({ metadata }, annotations) => {
  const duration = Number(annotations[durationAnnotation] ?? Number.NaN);
  const codes = (annotations[exitCodeAnnotation] ?? "0").split(",").map(Number);
  const exitCode = codes[Math.min(metadata.attempt, codes.length - 1)] ?? 0;
  const isSane =
    Number.isFinite(duration) && duration >= 0 && Number.isInteger(exitCode) && exitCode >= 0 && exitCode <= 255;
  return isSane ? { runsForMs: duration, exitCode } : { runsForMs: "forever", exitCode: 0 };
};
