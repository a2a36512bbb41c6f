/** Steps of long work: one line that changes on a terminal, plain lines elsewhere. All on standard error. */
export interface Progress {
  step(text: string): void;
  /** Ends the current step's line. */
  done(text?: string): void;
}

export function createProgress(): Progress {
  const startedAtMs = performance.now();
  const isTerminal = process.stderr.isTTY;
  const stamp = (): string => `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`.padStart(7);
  return {
    step: (text) => {
      process.stderr.write(isTerminal ? `\r\u001b[K${stamp()}  ${text} ...` : `${stamp()}  ${text} ...\n`);
    },
    done: (text) => {
      if (text !== undefined)
        process.stderr.write(isTerminal ? `\r\u001b[K${stamp()}  ${text}\n` : `${stamp()}  ${text}\n`);
      else if (isTerminal) process.stderr.write("\r\u001b[K");
    },
  };
}
