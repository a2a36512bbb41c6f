import { ageColumn, column, nameColumn } from "../columns.ts";
import type { FlowSchema, PolicyRulesWithSubjects } from "../generated/flowcontrol-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

const precedenceMax = 10_000;
const methods = ["ByNamespace", "ByUser"];
const verbs = [
  "*",
  "connect",
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "proxy",
  "update",
  "watch",
];

function validateVerbs(errors: FieldErrors, field: string, given: readonly string[] | undefined): void {
  if ((given ?? []).length === 0) errors.required(field, "verbs must contain at least one value");
  else if (given?.includes("*") === true) {
    if (given.length > 1) errors.invalid(field, given, "if '*' is present, must not specify other verbs");
  } else if (given?.some((verb) => !verbs.includes(verb)) === true) errors.notSupported(field, given, verbs);
}

function validateRule(errors: FieldErrors, at: string, rule: PolicyRulesWithSubjects): void {
  if ((rule.subjects ?? []).length === 0) errors.required(`${at}.subjects`, "subjects must contain at least one value");
  rule.subjects?.forEach((subject, index) => {
    const field = `${at}.subjects[${index}]`;
    const sources = { User: "user", Group: "group", ServiceAccount: "serviceAccount" } as const;
    const source = sources[subject.kind as keyof typeof sources];
    if (source === undefined) {
      errors.notSupported(`${field}.kind`, subject.kind, Object.keys(sources));
      return;
    }
    if (subject[source] === undefined)
      errors.required(`${field}.${source}`, `${source} is required when subject kind is '${subject.kind}'`);
    else if (!subject[source].name) errors.required(`${field}.${source}.name`);
  });
  const resources = rule.resourceRules ?? [];
  const others = rule.nonResourceRules ?? [];
  if (resources.length + others.length === 0)
    errors.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty");
  resources.forEach((resource, index) => {
    const field = `${at}.resourceRules[${index}]`;
    validateVerbs(errors, `${field}.verbs`, resource.verbs);
    if ((resource.apiGroups ?? []).length === 0)
      errors.required(`${field}.apiGroups`, "resource rules must supply at least one api group");
    if ((resource.resources ?? []).length === 0)
      errors.required(`${field}.resources`, "resource rules must supply at least one resource");
    if ((resource.namespaces ?? []).length === 0 && resource.clusterScope !== true) {
      errors.required(
        `${field}.namespaces`,
        "resource rules that are not cluster scoped must supply at least one namespace",
      );
    }
  });
  others.forEach((other, index) => {
    const field = `${at}.nonResourceRules[${index}]`;
    validateVerbs(errors, `${field}.verbs`, other.verbs);
    if ((other.nonResourceURLs ?? []).length === 0)
      errors.required(`${field}.nonResourceURLs`, "nonResourceURLs must contain at least one value");
  });
}

function validate(errors: FieldErrors, schema: FlowSchema): void {
  const { spec } = schema;
  if (spec.matchingPrecedence <= 0)
    errors.invalid("spec.matchingPrecedence", spec.matchingPrecedence, "must be a positive value");
  if (spec.matchingPrecedence > precedenceMax) {
    errors.invalid("spec.matchingPrecedence", spec.matchingPrecedence, `must not be greater than ${precedenceMax}`);
  }
  if (spec.matchingPrecedence === 1 && schema.metadata.name !== "exempt") {
    errors.invalid(
      "spec.matchingPrecedence",
      spec.matchingPrecedence,
      "only the schema named 'exempt' may have matchingPrecedence 1",
    );
  }
  if (spec.distinguisherMethod !== undefined && !methods.includes(spec.distinguisherMethod.type)) {
    errors.notSupported("spec.distinguisherMethod", spec.distinguisherMethod.type, methods);
  }
  if (!spec.priorityLevelConfiguration?.name)
    errors.required("spec.priorityLevelConfiguration.name", "must reference a priority level");
  spec.rules?.forEach((rule, index) => validateRule(errors, `spec.rules[${index}]`, rule));
}

export const flowSchemaRules: KindRules<FlowSchema> = {
  ...separateStatus<FlowSchema>(() => ({})),
  defaults(schema) {
    if (!schema.spec.matchingPrecedence) schema.spec.matchingPrecedence = 1000;
  },
  validate: (schema) => collect((errors) => validate(errors, schema)),
  columns: [
    nameColumn,
    column("PriorityLevel", "The priority level that this schema refers to."),
    column(
      "MatchingPrecedence",
      "matchingPrecedence is used to choose among the FlowSchemas that match a given request.",
    ),
    column("DistinguisherMethod", "How flows are told apart."),
    ageColumn,
    column("MissingPL", "Whether the referred priority level is missing."),
  ],
  cells: (schema, now) => [
    schema.metadata.name,
    schema.spec.priorityLevelConfiguration?.name ?? "",
    schema.spec.matchingPrecedence,
    schema.spec.distinguisherMethod?.type ?? "<none>",
    ageOf(schema.metadata.creationTimestamp, now),
    schema.status?.conditions?.find((condition) => condition.type === "Dangling")?.status ?? "?",
  ],
};
