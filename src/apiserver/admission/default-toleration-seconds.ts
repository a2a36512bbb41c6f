import type { Pod, Toleration } from "#api/generated/core-v1.ts";
import { pods } from "#api/generated/resources.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { allow, isAbout, objectOf } from "./request.ts";

const tolerationSeconds = 300;
/** The same ones in all pods: what lists hold is replaced, never changed. */
const tolerations: readonly Toleration[] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(
  (key) => Object.freeze({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds }),
);

/** Pods stay five minutes on a node that is not ready or not reachable, unless they say something else. */
export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: "DefaultTolerationSeconds",
    mutate(request) {
      if (!isAbout(request, pods)) return allow;
      const pod = request.operation === "DELETE" ? undefined : objectOf(request, pods);
      if (pod === undefined) return allow;
      for (const toleration of tolerations) {
        if (!tolerates(pod, toleration.key)) (pod.spec.tolerations ??= []).push(toleration);
      }
      return allow;
    },
  };
}

function tolerates(pod: Pod, key: string | undefined): boolean {
  return (pod.spec.tolerations ?? []).some(
    (toleration) =>
      (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === "NoExecute"),
  );
}
