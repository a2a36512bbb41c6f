import { column, nameColumn } from "../columns.ts";
import type { CustomResourceDefinition, JSONSchemaProps } from "../generated/apiextensions-v1.ts";
import type { KindRules } from "../kind.ts";
import { validateDefinition, validateDefinitionUpdate } from "../validation/custom-resource-definition.ts";
import { collect } from "../validation/field-errors.ts";

const webhookPort = 443;

function setDefaults({ spec }: CustomResourceDefinition): void {
  if (!spec.scope) spec.scope = "Namespaced";
  if (!spec.names.singular) spec.names.singular = (spec.names.kind ?? "").toLowerCase();
  if (!spec.names.listKind && spec.names.kind) spec.names.listKind = `${spec.names.kind}List`;
  spec.conversion ??= { strategy: "None" };
  if (!spec.conversion.strategy) spec.conversion.strategy = "None";
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= webhookPort;
}

function storageVersion({ spec }: CustomResourceDefinition): string | undefined {
  return spec.versions?.find((version) => version.storage)?.name;
}

/** What was ever stored must be remembered until a migration says otherwise. */
function rememberStored(definition: CustomResourceDefinition): void {
  const version = storageVersion(definition);
  if (version === undefined) return;
  const stored = definition.status.storedVersions ?? [];
  if (!stored.includes(version)) definition.status.storedVersions = [...stored, version];
}

export const customResourceDefinitionRules: KindRules<CustomResourceDefinition> = {
  defaults: setDefaults,
  prepareCreate(definition) {
    definition.status = { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: [] };
    rememberStored(definition);
  },
  prepareUpdate(definition, old, context) {
    if (context.subresource === "status") {
      definition.spec = old.spec;
      return;
    }
    definition.status = { ...old.status };
    rememberStored(definition);
  },
  validate: (definition) => collect((errors) => validateDefinition(errors, definition)),
  validateUpdate: (definition, old, context) =>
    collect((errors) => validateDefinitionUpdate(errors, definition, old, context)),
  warnings(definition) {
    const found: string[] = [];
    definition.spec.versions?.forEach((version, index) =>
      formatWarnings(found, `spec.versions[${index}].schema.openAPIV3Schema`, version.schema?.openAPIV3Schema),
    );
    return found;
  },
  columns: [nameColumn, { ...column("Created At", "When the object was created."), type: "date" }],
  cells: (definition) => [definition.metadata.name, definition.metadata.creationTimestamp],
};

const knownFormats: ReadonlySet<string> = new Set([
  "bsonobjectid",
  "uri",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "cidr",
  "mac",
  "uuid",
  "uuid3",
  "uuid4",
  "uuid5",
  "isbn",
  "isbn10",
  "isbn13",
  "creditcard",
  "ssn",
  "hexcolor",
  "rgbcolor",
  "byte",
  "password",
  "date",
  "duration",
  "datetime",
  "date-time",
  "int32",
  "int64",
  "float",
  "double",
  "k8s-short-name",
  "k8s-long-name",
]);

function formatWarnings(found: string[], field: string, schema: JSONSchemaProps | undefined): void {
  if (schema === undefined) return;
  if (schema.format && !knownFormats.has(schema.format))
    found.push(`unrecognized format ${JSON.stringify(schema.format)}`);
  for (const name in schema.properties) formatWarnings(found, `${field}.properties[${name}]`, schema.properties[name]);
  if (schema.items !== undefined && !Array.isArray(schema.items)) formatWarnings(found, `${field}.items`, schema.items);
}
