import type { Container, EphemeralContainer, Pod, ResourceFieldSelector } from "#api/generated/core-v1.ts";
import { quantityValue } from "../quantity.ts";
import { ContainerConfigError } from "./container-config.ts";

/** What a pod may learn of itself beyond its own object. */
export interface DownwardFacts {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  /** Stands in for limits that a container does not set: cores and bytes. */
  readonly allocatable: Readonly<Record<string, number>>;
}

/** A field as text; undefined when the pod has none. Throws `ContainerConfigError` for a path that cannot be asked for. */
export function downwardField(pod: Pod, path: string, facts: DownwardFacts): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript !== null) return pod.metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] ?? ""];
  switch (path) {
    case "metadata.name":
      return pod.metadata.name;
    case "metadata.namespace":
      return pod.metadata.namespace;
    case "metadata.uid":
      return pod.metadata.uid;
    case "metadata.labels":
      return mapText(pod.metadata.labels);
    case "metadata.annotations":
      return mapText(pod.metadata.annotations);
    case "spec.nodeName":
      return facts.nodeName;
    case "spec.serviceAccountName":
      return pod.spec.serviceAccountName;
    case "status.hostIP":
      return facts.hostIps[0];
    case "status.hostIPs":
      return facts.hostIps.join(",");
    case "status.podIP":
      return facts.podIps[0];
    case "status.podIPs":
      return facts.podIps.join(",");
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** One line per entry, sorted, values quoted: what the downward API writes for whole maps. */
function mapText(map: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(map ?? {}).toSorted();
  return keys.map((key) => `${key}=${JSON.stringify(map?.[key] ?? "")}`).join("\n");
}

/** A limit or request in units of the divisor, rounded up. */
export function downwardResource(
  pod: Pod,
  selector: ResourceFieldSelector,
  own: Container | EphemeralContainer | undefined,
  facts: DownwardFacts,
): string {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const name = selector.containerName;
  const container = name === undefined || name === "" ? own : containers.find((one) => one.name === name);
  if (container === undefined) throw new ContainerConfigError(`container ${name ?? ""} not found`);
  const [list, resource = ""] = selector.resource.split(/\.(.*)/s);
  const stated =
    list === "requests" ? container.resources?.requests?.[resource] : container.resources?.limits?.[resource];
  const fallback = list === "limits" ? (facts.allocatable[resource] ?? 0) : 0;
  const value = stated === undefined ? fallback : quantityValue(stated);
  const divisor = selector.divisor === undefined || selector.divisor === "0" ? 1 : quantityValue(selector.divisor);
  return String(Math.ceil(Number((value / divisor).toFixed(6))));
}
