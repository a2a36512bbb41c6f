const prefixes: ReadonlyMap<string, string> = new Map([
  ["meta", "io.k8s.apimachinery.pkg.apis.meta"],
  ["apiextensions", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"],
  ["apiregistration", "io.k8s.kube-aggregator.pkg.apis.apiregistration"],
]);
const machinery: ReadonlyMap<string, string> = new Map([
  ["resource.Quantity", "io.k8s.apimachinery.pkg.api.resource.Quantity"],
  ["intstr.IntOrString", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"],
  ["runtime.RawExtension", "io.k8s.apimachinery.pkg.runtime.RawExtension"],
]);

/** `core/v1.Pod` → `io.k8s.api.core.v1.Pod`: the published name of a built-in type. */
export function definitionName(typeName: string): string {
  const known = machinery.get(typeName);
  if (known !== undefined) return known;
  const slash = typeName.indexOf("/");
  const group = typeName.slice(0, slash);
  return `${prefixes.get(group) ?? `io.k8s.api.${group}`}.${typeName.slice(slash + 1)}`;
}

/** `stable.example.com`, `v1`, `CronTab` → `com.example.stable.v1.CronTab`. */
export function customDefinitionName(group: string, version: string, kind: string): string {
  return `${group.split(".").toReversed().join(".")}.${version}.${kind}`;
}
