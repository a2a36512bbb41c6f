import {
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  list,
  map,
  nullType,
  opaque,
  string,
  timestamp,
  typeOf,
  uint,
  type Type,
} from "./types.ts";

const named: ReadonlyMap<string, Type> = new Map<string, Type>([
  ["bool", bool],
  ["int", int],
  ["uint", uint],
  ["double", double],
  ["string", string],
  ["bytes", bytes],
  ["list", list(dyn)],
  ["map", map(dyn, dyn)],
  ["null_type", nullType],
  ["type", typeOf(dyn)],
  ["google.protobuf.Timestamp", timestamp],
  ["google.protobuf.Duration", duration],
  ["optional_type", { kind: "optional", of: dyn }],
  ...["kubernetes.URL", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.NamedFormat", "net.IP", "net.CIDR"].map(
    (name): [string, Type] => [name, opaque(name)],
  ),
]);

/** The type that expressions call by this name. */
export function typeNamed(name: string): Type | undefined {
  return named.get(name);
}
