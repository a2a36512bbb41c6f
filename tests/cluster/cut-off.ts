/** What a test or a bench has set up goes away also when it is told to end before it is done. */
const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** As shells tell it: 128 and the signal's number. */
const exitCodes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
/** Newest last. */
type CleanUp = () => unknown;
const cleanUps: CleanUp[] = [];
let isCutOff = false;

async function cutOff(signal: keyof typeof exitCodes): Promise<void> {
  // A second signal must not end what the first one began.
  if (isCutOff) return;
  isCutOff = true;
  for (const cleanUp of cleanUps.toReversed()) {
    try {
      await cleanUp();
    } catch (error) {
      // The others are to go away all the same.
      process.stderr.write(`Not cleaned up: ${String(error)}\n`);
    }
  }
  process.exit(exitCodes[signal]);
}

const listener = (signal: NodeJS.Signals): void => void cutOff(signal as keyof typeof exitCodes);

/** Calls `cleanUp` when a signal ends this process, and waits for what it promises. Answers how to take that back. */
export function whenCutOff(cleanUp: CleanUp): () => void {
  if (cleanUps.length === 0) for (const signal of signals) process.on(signal, listener);
  cleanUps.push(cleanUp);
  return () => {
    const index = cleanUps.indexOf(cleanUp);
    if (index < 0) return;
    cleanUps.splice(index, 1);
    if (cleanUps.length === 0) for (const signal of signals) process.off(signal, listener);
  };
}
