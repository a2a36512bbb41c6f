import type { Device, DeviceAttribute } from "#api/generated/resource-v1.ts";
import { kubernetesEnvironment } from "#cel/kubernetes.ts";
import { compileExpression, type Program } from "#cel/program.ts";
import { bool, dyn, map, opaque, string, type ObjectField, type ObjectType, type Type } from "#cel/types.ts";
import { ArrayList, EntryMap, MapValue, type Value } from "#cel/value.ts";
import type { IsOver, Steps } from "../line.ts";
import { deviceLimits } from "./limits.ts";

/** Whether a selector takes a device; a selector that fails says why. */
export type Judgement =
  | { readonly ok: true; readonly matches: boolean }
  | { readonly ok: false; readonly message: string };

function field(name: string, type: Type): [string, ObjectField] {
  return [name, { name, type }];
}

const quantity = opaque("kubernetes.Quantity");
const deviceType: ObjectType = {
  kind: "object",
  name: "kubernetes.DRADevice",
  fields: new Map([
    field("driver", string),
    field("attributes", map(string, map(string, dyn))),
    field("capacity", map(string, map(string, quantity))),
    field("allowMultipleAllocations", bool),
  ]),
};
const environment = kubernetesEnvironment.with([{ name: "device", type: deviceType }]);
const scalars = kubernetesEnvironment.with([{ name: "text", type: string }]);

/** A domain that a device does not have is an empty map, so that a selector may ask for any. */
class Domains extends MapValue {
  readonly #domains: ReadonlyMap<string, EntryMap>;
  constructor(domains: ReadonlyMap<string, EntryMap>) {
    super();
    this.#domains = domains;
  }
  get size(): number {
    return this.#domains.size;
  }
  get(key: Value): Value | undefined {
    return typeof key === "string" ? (this.#domains.get(key) ?? new EntryMap()) : undefined;
  }
  keys(): Iterable<Value> {
    return this.#domains.keys();
  }
}

class DeviceValue extends MapValue {
  readonly #fields: ReadonlyMap<string, Value>;
  constructor(fields: ReadonlyMap<string, Value>) {
    super();
    this.#fields = fields;
  }
  get size(): number {
    return this.#fields.size;
  }
  get(key: Value): Value | undefined {
    return typeof key === "string" ? this.#fields.get(key) : undefined;
  }
  keys(): Iterable<Value> {
    return this.#fields.keys();
  }
  override get typeName(): string {
    return deviceType.name;
  }
}

const programs = new Map<string, Program | string>();
const values = new WeakMap<Device, DeviceValue>();
const matching: Judgement = { ok: true, matches: true };
const other: Judgement = { ok: true, matches: false };

/**
 * Judges one device by CEL selectors, in turns, up to the first that does not take it.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
 */
export function* judge(selectors: readonly string[], driver: string, device: Device, isOver: IsOver): Steps<Judgement> {
  for (const expression of selectors) {
    const judged = yield* evaluate(expression, driver, device, isOver);
    if (judged !== matching) return judged;
  }
  return matching;
}

function* evaluate(expression: string, driver: string, device: Device, isOver: IsOver): Steps<Judgement> {
  const program = programOf(expression);
  if (typeof program === "string") return { ok: false, message: program };
  let value = values.get(device);
  if (value === undefined) values.set(device, (value = deviceValue(driver, device)));
  const result = yield* program.inTurns([value], deviceLimits.selectorCostMax, isOver);
  if (!result.ok) return { ok: false, message: result.message };
  return result.value === true ? matching : other;
}

function programOf(expression: string): Program | string {
  const known = programs.get(expression);
  if (known !== undefined) return known;
  const compiled = compileExpression(environment, expression, [bool]);
  const made = compiled.ok ? compiled.program : `compile error: ${compiled.message}`;
  if (programs.size >= deviceLimits.programsMax) programs.clear();
  programs.set(expression, made);
  return made;
}

function deviceValue(driver: string, device: Device): DeviceValue {
  const attributes = byDomain(driver, device.attributes ?? {}, attributeValue);
  const capacity = byDomain(driver, device.capacity ?? {}, ({ value }) => scalar("quantity(text)", value));
  return new DeviceValue(
    new Map<string, Value>([
      ["driver", driver],
      ["attributes", new Domains(attributes)],
      ["capacity", new Domains(capacity)],
      ["allowMultipleAllocations", device.allowMultipleAllocations === true],
    ]),
  );
}

/** Names without a domain are of the driver's. */
function byDomain<T>(
  driver: string,
  named: Readonly<Record<string, T>>,
  valueOf: (one: T) => Value,
): Map<string, EntryMap> {
  const domains = new Map<string, EntryMap>();
  for (const name in named) {
    const slash = name.indexOf("/");
    const domain = slash === -1 ? driver : name.slice(0, slash);
    let entries = domains.get(domain);
    if (entries === undefined) domains.set(domain, (entries = new EntryMap()));
    const id = name.slice(slash + 1);
    if (entries.get(id) === undefined) entries.add(id, valueOf(named[name]!));
  }
  return domains;
}

function attributeValue(attribute: DeviceAttribute): Value {
  const { int, bool: truth, string: text, version, ints, bools, strings, versions } = attribute;
  if (int !== undefined) return BigInt(int);
  if (truth !== undefined) return truth;
  if (text !== undefined) return text;
  if (version !== undefined) return versionValue(version);
  if (ints !== undefined) return new ArrayList(ints.map((one) => BigInt(one)));
  if (bools !== undefined) return new ArrayList(bools);
  if (strings !== undefined) return new ArrayList(strings);
  return new ArrayList((versions ?? []).map(versionValue));
}

const versionValue = (text: string): Value => scalar("semver(text)", text);

const scalarPrograms = new Map<"semver(text)" | "quantity(text)", Program | undefined>();

/** Versions and quantities are made by the language itself; what it cannot read is as good as missing. */
function scalar(expression: "semver(text)" | "quantity(text)", text: string): Value {
  if (!scalarPrograms.has(expression)) {
    const compiled = compileExpression(scalars, expression);
    scalarPrograms.set(expression, compiled.ok ? compiled.program : undefined);
  }
  const result = scalarPrograms.get(expression)?.evaluate([text]);
  return result?.ok === true ? result.value : null;
}
