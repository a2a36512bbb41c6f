/** The minutes at which a schedule fires, in the calendar of its time zone. */
export interface CronSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  /** Whether the day fields were given as `*`: then only the other one counts, otherwise either may match. */
  readonly anyDayOfMonth: boolean;
  readonly anyDayOfWeek: boolean;
  /** For `@every 1h30m`: the interval in milliseconds, and no fields. */
  readonly everyMs: number | undefined;
}

export type CronResult =
  | { readonly ok: true; readonly schedule: CronSchedule }
  | { readonly ok: false; readonly message: string };

const macros: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const monthNames = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

interface Field {
  readonly least: number;
  readonly most: number;
  readonly names: readonly string[];
}

const fields: readonly Field[] = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: monthNames },
  { least: 0, most: 6, names: dayNames },
];

class CronProblem extends Error {}

function number(text: string, field: Field): number {
  const named = field.names.indexOf(text.toLowerCase());
  if (text !== "" && named >= 0) return named;
  if (!/^\d+$/.test(text)) throw new CronProblem(`failed to parse int from ${text}`);
  return Number(text);
}

function addRange(values: Set<number>, text: string, field: Field): boolean {
  const [range = "", stepText, ...moreSteps] = text.split("/");
  const [lowText = "", highText, ...moreRange] = range.split("-");
  if (moreSteps.length > 0) throw new CronProblem(`too many slashes: ${text}`);
  if (moreRange.length > 0) throw new CronProblem(`too many hyphens: ${text}`);
  const star = lowText === "*" || lowText === "?";
  if (star && highText !== undefined) throw new CronProblem(`failed to parse int from ${lowText}`);
  const low = star ? field.least : number(lowText, field);
  let high = star ? field.most : highText === undefined ? low : number(highText, field);
  let step = 1;
  if (stepText !== undefined) {
    step = number(stepText, { ...field, names: [] });
    if (highText === undefined && !star) high = field.most;
  }
  if (low < field.least) throw new CronProblem(`beginning of range (${low}) below minimum (${field.least}): ${text}`);
  if (high > field.most) throw new CronProblem(`end of range (${high}) above maximum (${field.most}): ${text}`);
  if (low > high) throw new CronProblem(`beginning of range (${low}) beyond end of range (${high}): ${text}`);
  if (step === 0) throw new CronProblem(`step of range should be a positive number: ${text}`);
  for (let value = low; value <= high; value += step) values.add(value);
  return star && step === 1;
}

function parseField(text: string, field: Field): { values: Set<number>; any: boolean } {
  const values = new Set<number>();
  let any = false;
  for (const part of text.split(",")) if (part !== "" && addRange(values, part, field)) any = true;
  return { values, any };
}

const durationUnitsMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

function parseEvery(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) {
    throw new CronProblem(`failed to parse duration @every ${text}: time: invalid duration "${text}"`);
  }
  const totalMs = parts.reduce((sum, part) => sum + Number(part[1]) * (durationUnitsMs[part[2] ?? ""] ?? 0), 0);
  // The finest interval is a second, as everywhere in this syntax.
  return Math.max(1000, totalMs - (totalMs % 1000));
}

/** Reads the five fields, or a macro such as `@daily`. Time zones in the text are for the caller to refuse. */
export function parseCron(text: string): CronResult {
  try {
    return { ok: true, schedule: parse(text) };
  } catch (error) {
    if (error instanceof CronProblem) return { ok: false, message: error.message };
    throw error;
  }
}

function parse(text: string): CronSchedule {
  const none: ReadonlySet<number> = new Set();
  if (text === "") throw new CronProblem("empty spec string");
  if (text.startsWith("@every ")) {
    return {
      minutes: none,
      hours: none,
      daysOfMonth: none,
      months: none,
      daysOfWeek: none,
      anyDayOfMonth: true,
      anyDayOfWeek: true,
      everyMs: parseEvery(text.slice("@every ".length)),
    };
  }
  const expanded = text.startsWith("@") ? macros[text] : text;
  if (expanded === undefined) throw new CronProblem(`unrecognized descriptor: ${text}`);
  const words = expanded.trim().split(/\s+/);
  if (words.length !== fields.length) {
    throw new CronProblem(`expected exactly 5 fields, found ${words.length}: [${words.join(" ")}]`);
  }
  const parsed = fields.map((field, index) => parseField(words[index] ?? "", field));
  const values = (index: number): ReadonlySet<number> => parsed[index]?.values ?? none;
  return {
    minutes: values(0),
    hours: values(1),
    daysOfMonth: values(2),
    months: values(3),
    daysOfWeek: values(4),
    anyDayOfMonth: parsed[2]?.any ?? false,
    anyDayOfWeek: parsed[4]?.any ?? false,
    everyMs: undefined,
  };
}
