import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";

/** Where the cluster tells what it uses: docs/metrics.md. */
export const usageApi = "/apis/observability.steersman.dev/v1";

/** A quantity in cores or bytes; undefined when it is missing. */
export function numberOf(text: string | undefined): number | undefined {
  const parsed = parseQuantity(text ?? "");
  return parsed.ok ? quantityToNumber(parsed.quantity) : undefined;
}

/** `1.25` cores, `250m` below one. */
export function coresText(cores: number): string {
  return cores < 0.9995 ? `${Math.round(cores * 1000)}m` : String(Math.round(cores * 100) / 100);
}

/** `700Ki`, `12Mi`, `1.5Gi`. */
export function bytesText(bytes: number): string {
  const mebi = bytes / 1024 ** 2;
  if (bytes > 0 && mebi < 1) return `${Math.ceil(bytes / 1024)}Ki`;
  return mebi < 1024 ? `${Math.round(mebi)}Mi` : `${Math.round((mebi / 1024) * 10) / 10}Gi`;
}
