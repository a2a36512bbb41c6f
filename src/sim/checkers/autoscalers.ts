import { readCause } from "#client/cause-headers.ts";
import type { Checker, Report, View } from "./checker.ts";

interface AutoscalerSpec {
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
}

/** 58: an autoscaler asks for no size outside of its bounds. One that it does not know yet may have others. */
export function autoscalerChecker(view: View, report: Report): Checker {
  return {
    name: "autoscalers",
    requested(_client, { method, target, headers, body }) {
      const [, namespace, name] = /\/namespaces\/([^/]+)\/deployments\/([^/]+)\/scale/.exec(target) ?? [];
      if (name === undefined || (method !== "PUT" && method !== "PATCH")) return;
      const { actor, because = "" } = readCause(headers) ?? {};
      if (actor !== "controllers/horizontal-pod-autoscaler") return;
      const { spec } = JSON.parse(new TextDecoder().decode(body)) as { spec?: { replicas?: number } };
      const size = spec?.replicas ?? 0;
      const specs = [...view.history.all("autoscaling/horizontalpodautoscalers").values()].flatMap((autoscaler) => {
        const own = (autoscaler.spec ?? {}) as AutoscalerSpec;
        const isOurs = own.scaleTargetRef?.kind === "Deployment" && own.scaleTargetRef.name === name;
        return isOurs && because.includes(`/${namespace}/${autoscaler.metadata.name}@`) ? [own] : [];
      });
      if (specs.some(({ minReplicas = 1, maxReplicas = Infinity }) => size < minReplicas || size > maxReplicas))
        report("58 bounds", `${name} is to have ${size} pods: ${JSON.stringify(specs)}`);
    },
  };
}
