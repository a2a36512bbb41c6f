import type { Family, Metrics } from "#telemetry/metrics.ts";
import type { World } from "#world/world.ts";

/** Until when the node's certificate holds: the agent asks and answers with one. */
export function certificateFamilies(
  { clock, certificates }: Pick<World, "clock" | "certificates">,
  certificate: string,
): Family[] {
  const endsMs = certificates.read(certificate)?.notAfter;
  return (["client", "server"] as const).map((side) => ({
    name: `kubelet_certificate_manager_${side}_ttl_seconds`,
    type: "gauge",
    help: `The shortest TTL (time-to-live) of the Kubelet's ${side} certificate, negative if already expired.`,
    samples: endsMs === undefined ? [] : [{ labels: {}, value: Math.floor((endsMs - clock.now()) / 1000) }],
  }));
}

/** Counts renewals of the node's certificate that failed, as whom the agent asks and answers with it. */
export function renewalCounter(metrics: Metrics): <Result>(renew: () => Promise<Result>) => Promise<Result> {
  const failures = (["certificate_manager_client", "server"] as const).map((side) =>
    metrics.counter(`kubelet_${side}_expiration_renew_errors`, "Counter of certificate renewal errors.", []).series([]),
  );
  return async (renew) => {
    try {
      return await renew();
    } catch (error) {
      for (const series of failures) series.add();
      throw error;
    }
  };
}
