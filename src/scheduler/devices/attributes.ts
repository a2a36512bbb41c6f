import type { Device, DeviceAttribute, DeviceConstraint } from "#api/generated/resource-v1.ts";
import type { PoolDevice } from "./pools.ts";

/** The place of a request in its claim: `request`, or `request/alternative` of it. */
export interface Wished {
  readonly name: string;
  readonly request: string;
}

/** Whether something that names these requests (or alternatives, or none: all) is about this one. */
export function isAbout(requests: readonly string[] | undefined, { name, request }: Wished): boolean {
  return requests === undefined || requests.length === 0 || requests.includes(name) || requests.includes(request);
}

/** One constraint of a claim while devices are being chosen: what those chosen so far have in common, or must not have. */
export class Constraint {
  readonly #constraint: DeviceConstraint;
  /** Values of the devices chosen so far, in their order; undefined for devices that the constraint is not about. */
  readonly #values: (string | undefined)[] = [];

  constructor(constraint: DeviceConstraint) {
    this.#constraint = constraint;
  }

  /** Whether the device may join those chosen so far. A device without the attribute never may. */
  allows(wish: Wished, one: PoolDevice): boolean {
    if (!isAbout(this.#constraint.requests, wish)) return true;
    const value = this.#valueOf(one);
    if (value === undefined) return false;
    const others = this.#values.filter((other) => other !== undefined);
    return this.#constraint.matchAttribute === undefined
      ? !others.includes(value)
      : others.every((other) => other === value);
  }

  add(wish: Wished, one: PoolDevice): void {
    this.#values.push(isAbout(this.#constraint.requests, wish) ? this.#valueOf(one) : undefined);
  }

  /** Takes the device that was added last out again. */
  remove(): void {
    this.#values.pop();
  }

  #valueOf({ device, driver }: PoolDevice): string | undefined {
    const name = this.#constraint.matchAttribute ?? this.#constraint.distinctAttribute ?? "";
    const attribute = attributeNamed(name, driver, device);
    return attribute === undefined ? undefined : JSON.stringify(attribute);
  }
}

/** The attribute with a full name; names of the driver's own domain may stand on the device without it. */
function attributeNamed(name: string, driver: string, device: Device): DeviceAttribute | undefined {
  const own = `${driver}/`;
  return device.attributes?.[name] ?? (name.startsWith(own) ? device.attributes?.[name.slice(own.length)] : undefined);
}
