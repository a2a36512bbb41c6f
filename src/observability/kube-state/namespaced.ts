import type { FamilyBuilder, StateObject } from "./builder.ts";
import { amountOf } from "./storage.ts";

export interface StateCronJob extends StateObject {
  readonly resourceVersion: string;
  readonly spec: { readonly schedule: string; readonly suspend?: boolean; readonly concurrencyPolicy?: string };
  readonly status: { readonly active?: readonly unknown[]; readonly lastScheduleTime?: string };
}

export interface StateQuota extends StateObject {
  readonly status: {
    readonly hard?: Readonly<Record<string, string>>;
    readonly used?: Readonly<Record<string, string>>;
  };
}

interface LimitRangeItem {
  readonly type: string;
  readonly min?: Readonly<Record<string, string>>;
  readonly max?: Readonly<Record<string, string>>;
  readonly default?: Readonly<Record<string, string>>;
  readonly defaultRequest?: Readonly<Record<string, string>>;
  readonly maxLimitRequestRatio?: Readonly<Record<string, string>>;
}

export interface StateLimitRange extends StateObject {
  readonly limits: readonly LimitRangeItem[];
}

interface IngressBackend {
  readonly service?: { readonly name: string; readonly port?: { readonly name?: string; readonly number?: number } };
}

/** An Ingress as the API has it. */
export interface StateIngress {
  readonly metadata: { readonly namespace?: string; readonly name?: string; readonly creationTimestamp?: string };
  readonly spec: {
    readonly ingressClassName?: string;
    readonly rules?: readonly {
      readonly host?: string;
      readonly http?: { readonly paths: readonly { readonly path?: string; readonly backend: IngressBackend }[] };
    }[];
  };
}

export interface StateEndpoints extends StateObject {
  readonly subsets: readonly {
    readonly ports?: readonly { readonly name?: string; readonly protocol?: string; readonly port: number }[];
  }[];
}

/** kube-state-metrics' series of CronJobs; `nextMs` tells when one is due again, in milliseconds since 1970. */
export function cronJobStates<T extends StateCronJob>(
  into: FamilyBuilder,
  cronJobs: Iterable<T>,
  nextMs: (cronJob: T) => number | undefined,
): void {
  for (const cronJob of cronJobs) {
    const { namespace, name, createdMs, spec, status, resourceVersion } = cronJob;
    const labels = { namespace, cronjob: name };
    const told = { schedule: spec.schedule, concurrency_policy: spec.concurrencyPolicy ?? "Allow" };
    into.gauge("kube_cronjob_info", "Info about cronjob.", { ...labels, ...told }, 1);
    into.gauge("kube_cronjob_created", "Unix creation timestamp", labels, createdMs / 1000);
    const versionHelp = "Resource version representing a specific version of the cronjob.";
    into.gauge("kube_cronjob_metadata_resource_version", versionHelp, labels, Number(resourceVersion));
    into.gauge("kube_cronjob_spec_suspend", "Whether no Jobs are made.", labels, Number(spec.suspend ?? false));
    into.gauge("kube_cronjob_status_active", "Jobs that run now.", labels, status.active?.length ?? 0);
    const last = status.lastScheduleTime === undefined ? undefined : Date.parse(status.lastScheduleTime) / 1000;
    into.gauge("kube_cronjob_status_last_schedule_time", "When a Job was last due.", labels, last);
    const next = spec.suspend === true ? undefined : nextMs(cronJob);
    into.gauge(
      "kube_cronjob_next_schedule_time",
      "When the next Job is due.",
      labels,
      next === undefined ? undefined : next / 1000,
    );
  }
}

export function quotaStates(into: FamilyBuilder, quotas: Iterable<StateQuota>): void {
  for (const { namespace, name, createdMs, status } of quotas) {
    const labels = { namespace, resourcequota: name };
    into.gauge("kube_resourcequota_created", "Unix creation timestamp", labels, createdMs / 1000);
    for (const type of ["hard", "used"] as const)
      for (const [resource, text] of Object.entries(status[type] ?? {}))
        into.gauge(
          "kube_resourcequota",
          "Information about resource quota.",
          { ...labels, resource, type },
          amountOf(text),
        );
  }
}

export function limitRangeStates(into: FamilyBuilder, ranges: Iterable<StateLimitRange>): void {
  for (const { namespace, name, createdMs, limits } of ranges) {
    const labels = { namespace, limitrange: name };
    into.gauge("kube_limitrange_created", "Unix creation timestamp", labels, createdMs / 1000);
    for (const { type, ...constraints } of limits)
      for (const [constraint, amounts] of Object.entries(constraints))
        for (const [resource, text] of Object.entries(amounts ?? {}))
          into.gauge(
            "kube_limitrange",
            "Information about limit range.",
            { ...labels, resource, type, constraint },
            amountOf(text),
          );
  }
}

export function ingressStates(into: FamilyBuilder, ingresses: Iterable<StateIngress>): void {
  for (const { metadata, spec } of ingresses) {
    const labels = { namespace: metadata.namespace ?? "", ingress: metadata.name ?? "" };
    const told = { ...labels, ingressclass: spec.ingressClassName ?? "" };
    into.gauge("kube_ingress_info", "Information about ingress.", told, 1);
    const created = Date.parse(metadata.creationTimestamp ?? "") / 1000;
    into.gauge("kube_ingress_created", "Unix creation timestamp", labels, created);
    const paths = new Map<string, Record<string, string>>();
    for (const { host = "", http } of spec.rules ?? []) {
      for (const { path = "", backend } of http?.paths ?? []) {
        const { name = "", port } = backend.service ?? {};
        const service = { service_name: name, service_port: String(port?.name ?? port?.number ?? "") };
        const one = { ...labels, host, path, ...service };
        paths.set(JSON.stringify(one), one);
      }
    }
    for (const one of paths.values())
      into.gauge("kube_ingress_path", "Ingress host, paths and backend service information.", one, 1);
  }
}

export function endpointsStates(into: FamilyBuilder, endpoints: Iterable<StateEndpoints>): void {
  for (const { namespace, name, createdMs, subsets } of endpoints) {
    const labels = { namespace, endpoint: name };
    into.gauge("kube_endpoint_info", "Information about endpoint.", labels, 1);
    into.gauge("kube_endpoint_created", "Unix creation timestamp", labels, createdMs / 1000);
    const ports = new Map<string, Record<string, string>>();
    for (const { name: port_name = "", protocol = "TCP", port } of subsets.flatMap((subset) => subset.ports ?? []))
      ports.set(`${port_name} ${protocol} ${port}`, { port_name, port_protocol: protocol, port_number: String(port) });
    for (const port of ports.values())
      into.gauge("kube_endpoint_ports", "Information about the Endpoint ports.", { ...labels, ...port }, 1);
  }
}

/** `_info` and `_created` of kinds whose content is nobody's business. */
export function plainStates(into: FamilyBuilder, kind: "configmap" | "secret", objects: Iterable<StateObject>): void {
  for (const { namespace, name, createdMs } of objects) {
    const labels = { namespace, [kind]: name };
    into.gauge(`kube_${kind}_info`, `Information about ${kind}.`, labels, 1);
    into.gauge(`kube_${kind}_created`, "Unix creation timestamp", labels, createdMs / 1000);
  }
}

export function secretTypeStates(
  into: FamilyBuilder,
  secrets: Iterable<StateObject & { readonly type: string }>,
): void {
  for (const { namespace, name, type } of secrets)
    into.gauge("kube_secret_type", "Type about secret.", { namespace, secret: name, type }, 1);
}

export interface StateRequest extends StateObject {
  readonly signer: string;
  readonly conditions: readonly string[];
  /** Bytes of the certificate as it was issued; 0 while there is none. */
  readonly certificateBytes: number;
}

export function requestStates(into: FamilyBuilder, requests: Iterable<StateRequest>): void {
  const prefix = "kube_certificatesigningrequest";
  for (const { name, createdMs, signer, conditions, certificateBytes } of requests) {
    const labels = { certificatesigningrequest: name, signer_name: signer };
    into.gauge(`${prefix}_created`, "Unix creation timestamp", labels, createdMs / 1000);
    for (const condition of ["approved", "denied", "failed"]) {
      const count = conditions.filter((one) => one.toLowerCase() === condition).length;
      into.gauge(`${prefix}_condition`, "The number of each condition.", { ...labels, condition }, count);
    }
    into.gauge(`${prefix}_cert_length`, "Length of the issued cert", labels, certificateBytes);
  }
}
