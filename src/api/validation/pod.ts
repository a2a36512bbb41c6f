import type { Pod, PodSpec, PodTemplateSpec } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateAnnotations, validateLabels } from "./labels.ts";
import { isDns1123Label } from "./names.ts";

/** A whole pod. */
export function validatePod(errors: FieldErrors, pod: Pod, _context: RuleContext): void {
  validatePodSpec(errors, "spec", pod.spec);
}

/** The template of a controller: labels, annotations and the spec. */
export function validatePodTemplate(errors: FieldErrors, field: string, template: PodTemplateSpec): void {
  validateLabels(errors, `${field}.metadata.labels`, template.metadata?.labels);
  validateAnnotations(errors, `${field}.metadata.annotations`, template.metadata?.annotations);
  validatePodSpec(errors, `${field}.spec`, template.spec);
}

export function validatePodSpec(errors: FieldErrors, field: string, spec: PodSpec): void {
  if ((spec.containers ?? []).length === 0) errors.required(`${field}.containers`);
  const names = new Set<string>();
  spec.containers?.forEach((container, index) => {
    const at = `${field}.containers[${index}]`;
    if (!container.name) errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, container.name, isDns1123Label(container.name));
    if (names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    if (!container.image) errors.required(`${at}.image`);
  });
}
