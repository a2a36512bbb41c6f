import { parseQuantity, type Quantity, quantityToInteger, quantityToMillis } from "#codec/quantity.ts";
import { limits } from "./limits.ts";

/** Amounts by resource name: cpu in thousandths, memory and ephemeral-storage in bytes, all else in units. */
export type Amounts = Map<string, number>;

const known = new Map<string, number>();

/** A quantity as the scheduler counts: thousandths of a CPU, whole units of all else, rounded up. */
export function unitsOf(resource: string, quantity: Quantity): number {
  return Number(resource === "cpu" ? quantityToMillis(quantity) : quantityToInteger(quantity));
}

/** The same of a text; what cannot be read counts as 0. */
export function amountOf(resource: string, text: string): number {
  const scale = resource === "cpu" ? "c" : "u";
  const key = scale + text;
  let amount = known.get(key);
  if (amount !== undefined) return amount;
  const parsed = parseQuantity(text);
  if (!parsed.ok) return 0;
  amount = unitsOf(resource, parsed.quantity);
  if (known.size >= limits.quantitiesMax) known.clear();
  known.set(key, amount);
  return amount;
}

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const name in list) amounts.set(name, amountOf(name, list[name]!));
  return amounts;
}

/** An amount for people: `1500m`, `2`, `512Mi`. */
export function amountText(resource: string, amount: number): string {
  if (resource === "cpu") return amount % 1_000 === 0 ? String(amount / 1_000) : `${amount}m`;
  if (resource !== "memory" && resource !== "ephemeral-storage") return String(amount);
  for (const [suffix, unit] of [
    ["Gi", 2 ** 30],
    ["Mi", 2 ** 20],
    ["Ki", 2 ** 10],
  ] as const) {
    if (amount >= unit)
      return amount % unit === 0 ? `${amount / unit}${suffix}` : `${Math.ceil((amount / unit) * 10) / 10}${suffix}`;
  }
  return String(amount);
}
