import { holdAnnotation, holdOf } from "#api/apps/hold.ts";
import type { ServiceActivity } from "#api/observability/activity.ts";
import { pathOf } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { ServiceView } from "../views/network.ts";
import type { ObservedScale } from "./plan.ts";
import type { Traffic } from "./sleep.ts";
import type { AutoscalerView } from "./view.ts";

const activities = "/apis/observability.steersman.dev/v1";
/** Services of one target that are looked at. */
const servicesMax = 100;

/** What sleeping needs to know of a target beyond its scale. */
export interface SleepTarget {
  readonly labels: Readonly<Record<string, string>>;
  readonly release: string | undefined;
}

interface ScaledObject {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly template?: { readonly metadata?: { readonly labels?: Record<string, string> } } };
}

/** The labels that the target gives its pods, and who has a release of it under way. Rejects when it cannot be read. */
export async function readSleepTarget(
  client: Client,
  { namespace, spec }: AutoscalerView,
  scale: Extract<ObservedScale, { kind: "found" }>,
): Promise<SleepTarget> {
  const path = pathOf(scale.resource, { namespace, name: spec.scaleTargetRef.name });
  const target = (await client.request("GET", path)) as ScaledObject;
  const annotations = target.metadata?.annotations ?? {};
  const hold = holdOf(annotations);
  return {
    labels: target.spec?.template?.metadata?.labels ?? {},
    release: hold?.bring === undefined ? undefined : (hold.by ?? holdAnnotation),
  };
}

/** The Services whose requests such pods answer, by name. */
export function servicesOf(services: readonly ServiceView[], labels: Readonly<Record<string, string>>): string[] {
  return services
    .filter(
      ({ hasSelector, selector, deletionMs }) => hasSelector && deletionMs === undefined && selector.matches(labels),
    )
    .map(({ name }) => name)
    .sort()
    .slice(0, servicesMax);
}

/** How long no request came for any of these Services. Never rejects: who does not tell makes it unknown. */
export async function readTraffic(client: Client, namespace: string, services: readonly string[]): Promise<Traffic> {
  try {
    const answers = await Promise.all(
      services.map(async (name) => {
        const path = `/namespaces/${encodeURIComponent(namespace)}/serviceactivities/${encodeURIComponent(name)}`;
        return (await client.request("GET", `${activities}${path}`)) as ServiceActivity;
      }),
    );
    const silent = [...new Set(answers.flatMap(({ missingNodes }) => missingNodes))].sort();
    if (silent.length > 0)
      return { kind: "unknown", message: `requests cannot be counted on ${silent.slice(0, 5).join(", ")}` };
    const quiet = answers.flatMap(({ quietSeconds }) => (quietSeconds === undefined ? [] : [quietSeconds]));
    if (quiet.length === 0) return { kind: "unrouted" };
    const least = Math.min(...quiet);
    if (!Number.isFinite(least) || least < 0) return { kind: "unknown", message: "requests are counted by no number" };
    return { kind: "quiet", quietMs: least * 1000 };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "unknown", message: `requests cannot be counted: ${message}` };
  }
}
