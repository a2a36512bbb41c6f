import { ageColumn, column, nameColumn } from "../columns.ts";
import type { IngressClass, IngressClassParametersReference } from "../generated/networking-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";
import { isQualifiedName } from "../validation/labels.ts";
import { isDns1123Label, isDns1123Subdomain, isPathSegmentName } from "../validation/names.ts";

const controllerLengthMax = 250;

function parametersText(parameters: IngressClassParametersReference | undefined): string {
  if (parameters === undefined) return "<none>";
  const kind = parameters.apiGroup ? `${parameters.kind}.${parameters.apiGroup}` : parameters.kind;
  return `${kind}/${parameters.name}`;
}

function validateParameters(errors: FieldErrors, parameters: IngressClassParametersReference | undefined): void {
  if (parameters === undefined) return;
  const field = "spec.parameters";
  if (parameters.apiGroup)
    errors.invalidEach(`${field}.apiGroup`, parameters.apiGroup, isDns1123Subdomain(parameters.apiGroup));
  for (const name of ["kind", "name"] as const) {
    if (!parameters[name]) errors.required(`${field}.${name}`);
    else errors.invalidEach(`${field}.${name}`, parameters[name], isPathSegmentName(parameters[name]));
  }
  if (parameters.scope === undefined) {
    errors.required(`${field}.scope`);
  } else if (parameters.scope === "Namespace") {
    if (!parameters.namespace) errors.required(`${field}.namespace`, "`parameters.scope` is set to 'Namespace'");
    else errors.invalidEach(`${field}.namespace`, parameters.namespace, isDns1123Label(parameters.namespace));
  } else if (parameters.scope === "Cluster") {
    if (parameters.namespace !== undefined)
      errors.forbidden(`${field}.namespace`, "`parameters.scope` is set to 'Cluster'");
  } else {
    errors.notSupported(`${field}.scope`, parameters.scope, ["Cluster", "Namespace"]);
  }
}

export const ingressClassRules: KindRules<IngressClass> = {
  defaults(object) {
    if (object.spec?.parameters !== undefined) object.spec.parameters.scope ??= "Cluster";
  },
  validate: (object) =>
    collect((errors) => {
      const controller = object.spec?.controller;
      if (!controller) {
        errors.required("spec.controller");
      } else {
        if (controller.length > controllerLengthMax) errors.tooLong("spec.controller", controllerLengthMax);
        if (!controller.includes("/")) {
          errors.invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")');
        } else {
          const [prefix = "", ...rest] = controller.split("/");
          errors.invalidEach("spec.controller", controller, isDns1123Subdomain(prefix));
          if (rest.join("/") === "")
            errors.invalid(
              "spec.controller",
              controller,
              isQualifiedName(controller)[0] ?? "name part must be non-empty",
            );
        }
      }
      validateParameters(errors, object.spec?.parameters);
    }),
  validateUpdate: (object, old) =>
    collect((errors) => validateImmutable(errors, "spec.controller", object.spec?.controller, old.spec?.controller)),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Controller", "Controller that is responsible for handling this class"),
    column("Parameters", "A reference to a resource with additional parameters"),
    ageColumn,
  ],
  cells: (object, now) => [
    object.metadata.name,
    object.spec?.controller ?? "",
    parametersText(object.spec?.parameters),
    ageOf(object.metadata.creationTimestamp, now),
  ],
};
