import type { Pod } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";

export function validatePodUpdate(errors: FieldErrors, pod: Pod, old: Pod, context: RuleContext): void {
  if (context.subresource === "status") return;
  if (old.spec.nodeName && old.spec.nodeName !== pod.spec.nodeName) {
    errors.forbidden("spec.nodeName", "may not be changed once it is set");
  }
}
