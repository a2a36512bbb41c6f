import type { Binding } from "../generated/core-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateBinding } from "../validation/pod-update.ts";

export const bindingRules: KindRules<Binding> = {
  validate: (binding) => collect((errors) => validateBinding(errors, binding)),
};
