/** One measured figure. `floor` is what the bare machine does in the same run, `target` what was promised. */
export interface Figure {
  readonly bench: string;
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly target?: number;
}

/** Prints one figure as one JSON line. */
export function report(figure: Figure): void {
  const rounded = (value: number): number =>
    Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  const line: Record<string, unknown> = { ...figure, value: rounded(figure.value) };
  if (figure.floor !== undefined) line["floor"] = rounded(figure.floor);
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
