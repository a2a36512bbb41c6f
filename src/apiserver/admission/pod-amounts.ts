import type { Container, Pod } from "#api/generated/core-v1.ts";
import { addQuantities, compareQuantities, formatQuantity, quantityOf } from "#codec/quantity.ts";

export type Amounts = Record<string, string>;

/** The sum of two lists of quantities, name by name. */
export function addAmounts(a: Readonly<Amounts>, b: Readonly<Amounts>): Amounts {
  const out: Amounts = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const before = out[name];
    out[name] = before === undefined ? amount : formatQuantity(addQuantities(quantityOf(before), quantityOf(amount)));
  }
  return out;
}

function larger(a: Readonly<Amounts>, b: Readonly<Amounts>): Amounts {
  const out: Amounts = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const before = out[name];
    if (before === undefined || compareQuantities(quantityOf(before), quantityOf(amount)) < 0) out[name] = amount;
  }
  return out;
}

/**
 * What a whole pod asks for or may use: its containers and sidecars together, or an init container beside the sidecars
 * started before it, whichever is more; values of the pod itself take the place of both; its overhead comes on top.
 */
export function podAmounts(pod: Pod, which: "requests" | "limits"): Amounts {
  const of = (container: Container): Amounts => container.resources?.[which] ?? {};
  let running = (pod.spec.containers ?? []).map(of).reduce(addAmounts, {});
  let sidecars: Amounts = {};
  let starting: Amounts = {};
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      running = addAmounts(running, of(container));
      sidecars = addAmounts(sidecars, of(container));
      starting = larger(starting, sidecars);
    } else {
      starting = larger(starting, addAmounts(sidecars, of(container)));
    }
  }
  const whole = { ...larger(running, starting), ...pod.spec.resources?.[which] };
  return addAmounts(whole, pod.spec.overhead ?? {});
}
