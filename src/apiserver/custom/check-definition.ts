import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
  ValidationRule,
} from "#api/generated/apiextensions-v1.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { patternError } from "#cel/pattern.ts";
import type { Compiled, Program } from "#cel/program.ts";
import type { FieldError } from "#api/kind.ts";
import { requestBytesMax } from "../limits.ts";
import { checkDefaults } from "./check-defaults.ts";
import { definitionEstimateMax, errorsMax, messageLengthMax, ruleEstimateMax } from "./limits.ts";
import { compileRule } from "./rules.ts";
import { bytesMin, itemsOf, typeOfSchema } from "./schema-types.ts";

/**
 * What is wrong with the schemas of a definition beyond their structure: rules, patterns, defaults, selectable fields. All of it
 * at once. Versions whose schema is as in `old` are let through: what is stored stays changeable.
 */
export function definitionErrors(definition: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  const errors = new FieldErrors();
  const before = new Set(old?.spec.versions.map((version) => JSON.stringify(version, withBigints)));
  definition.spec.versions?.forEach((version, index) => {
    if (!before.has(JSON.stringify(version, withBigints))) checkVersion(errors, `spec.versions[${index}]`, version);
  });
  return errors.list.slice(0, errorsMax);
}

function withBigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function checkVersion(errors: FieldErrors, at: string, version: CustomResourceDefinitionVersion): void {
  const schema = version.schema?.openAPIV3Schema;
  if (schema === undefined) return;
  const field = `${at}.schema.openAPIV3Schema`;
  if (schema.additionalProperties !== undefined) {
    errors.forbidden(`${field}.additionalProperties`, "must not be used at the root");
  }
  const checker = new SchemaChecker(errors);
  checker.visit(field, schema, { isRoot: true, cardinality: 1, uncorrelatable: undefined, depth: 0 });
  checker.checkTotal(field);
  checkDefaults(errors, field, schema);
  version.selectableFields?.forEach(({ jsonPath }, index) => {
    const found = schemaAt(schema, jsonPath ?? "");
    const path = `${at}.selectableFields[${index}].jsonPath`;
    if (found === undefined) errors.invalid(path, jsonPath, "is an invalid path: does not refer to a valid field");
    else if (!["boolean", "integer", "string"].includes(found.type ?? "")) {
      errors.invalid(
        path,
        jsonPath,
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
      );
    }
  });
}

/** The schema of a field by its simple path; undefined when there is none. */
function schemaAt(schema: JSONSchemaProps, path: string): JSONSchemaProps | undefined {
  let found: JSONSchemaProps | undefined = schema;
  for (const name of path.split(".").slice(1)) {
    const properties: Record<string, JSONSchemaProps> | undefined = found?.properties;
    found = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
  }
  return found;
}

interface Place {
  readonly isRoot: boolean;
  /** How often a value of the schema can be there at most; undefined: as often as a request can hold it. */
  readonly cardinality: number | undefined;
  /** The list above that cannot tell which element was which. */
  readonly uncorrelatable: string | undefined;
  readonly depth: number;
}

const depthMax = 512;

class SchemaChecker {
  readonly #errors: FieldErrors;
  readonly #costs: { readonly field: string; readonly cost: number }[] = [];

  constructor(errors: FieldErrors) {
    this.#errors = errors;
  }

  visit(field: string, schema: JSONSchemaProps, place: Place): void {
    if (depthMax < place.depth || errorsMax <= this.#errors.list.length) return;
    this.#checkPattern(field, schema);
    this.#checkJunctors(field, schema, place.depth);
    const type = typeOfSchema(schema, place.isRoot);
    schema["x-kubernetes-validations"]?.forEach((rule, index) => {
      const at = `${field}.x-kubernetes-validations[${index}]`;
      if (type === undefined) {
        this.#errors.forbidden(at, "x-kubernetes-validations is not supported where the schema has no type");
        return;
      }
      this.#checkRule(at, rule, schema, place);
    });
    const depth = place.depth + 1;
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      this.visit(`${field}.properties[${name}]`, property, { ...place, isRoot: false, depth });
    }
    const items = itemsOf(schema);
    if (items !== undefined) {
      const isMap = schema["x-kubernetes-list-type"] === "map";
      const cardinality = times(place.cardinality, schema.maxItems);
      const uncorrelatable = place.uncorrelatable ?? (isMap ? undefined : field);
      this.visit(`${field}.items`, items, { isRoot: false, cardinality, uncorrelatable, depth });
    }
    if (typeof schema.additionalProperties === "object") {
      const cardinality = times(place.cardinality, schema.maxProperties);
      this.visit(`${field}.additionalProperties`, schema.additionalProperties, {
        ...place,
        isRoot: false,
        cardinality,
        depth,
      });
    }
  }

  #checkPattern(field: string, schema: JSONSchemaProps): void {
    if (schema.pattern === undefined || schema.pattern === "") return;
    const problem = patternError(schema.pattern);
    if (problem !== undefined)
      this.#errors.invalid(
        `${field}.pattern`,
        schema.pattern,
        `must be a valid regular expression, but isn't: ${problem}`,
      );
  }

  #checkJunctors(field: string, schema: JSONSchemaProps, depth: number): void {
    if (depthMax < depth) return;
    for (const name of ["allOf", "anyOf", "oneOf"] as const) {
      schema[name]?.forEach((part, index) => this.#checkPart(`${field}.${name}[${index}]`, part, depth + 1));
    }
    if (schema.not !== undefined) this.#checkPart(`${field}.not`, schema.not, depth + 1);
  }

  #checkPart(field: string, part: JSONSchemaProps, depth: number): void {
    this.#checkPattern(field, part);
    if ((part["x-kubernetes-validations"] ?? []).length > 0)
      this.#errors.forbidden(`${field}.x-kubernetes-validations`, "must be empty to be structural");
    this.#checkJunctors(field, part, depth);
    for (const [name, property] of Object.entries(part.properties ?? {}))
      this.#checkPart(`${field}.properties[${name}]`, property, depth + 1);
    const items = itemsOf(part);
    if (items !== undefined) this.#checkPart(`${field}.items`, items, depth + 1);
  }

  #checkRule(at: string, rule: ValidationRule, schema: JSONSchemaProps, place: Place): void {
    checkWords(this.#errors, at, rule);
    if (!rule.rule?.trim()) return;
    const type = typeOfSchema(schema, place.isRoot);
    if (type === undefined) return;
    if (rule.fieldPath) checkFieldPath(this.#errors, `${at}.fieldPath`, rule.fieldPath, schema);
    const { test, message, isTransition } = compileRule(rule, type);
    if (isTransition && place.uncorrelatable !== undefined && rule.optionalOldSelf !== true) {
      this.#errors.invalid(
        `${at}.rule`,
        rule.rule,
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`,
      );
    }
    if (!isTransition && rule.optionalOldSelf !== undefined) {
      this.#errors.invalid(
        `${at}.optionalOldSelf`,
        rule.optionalOldSelf,
        "may not be set if oldSelf is not used in rule",
      );
    }
    const program = this.#compiled(
      `${at}.rule`,
      rule.rule,
      test,
      "compilation failed",
      "cel expression must evaluate to a bool",
    );
    if (program !== undefined) this.#charge(`${at}.rule`, program, schema, place, "estimated rule cost");
    if (message === undefined) return;
    const text = rule.messageExpression ?? "";
    const made = this.#compiled(
      `${at}.messageExpression`,
      text,
      message,
      "messageExpression compilation failed",
      "messageExpression must evaluate to a string",
    );
    if (made !== undefined)
      this.#charge(`${at}.messageExpression`, made, schema, place, "estimated messageExpression cost");
  }

  #compiled(field: string, text: string, compiled: Compiled, failed: string, wrongType: string): Program | undefined {
    if (compiled.ok) return compiled.program;
    const isTyped = compiled.message.startsWith("must evaluate");
    this.#errors.invalid(field, text, isTyped ? wrongType : `${failed}: ${compiled.message}`);
    return undefined;
  }

  #charge(field: string, program: Program, schema: JSONSchemaProps, place: Place, what: string): void {
    const often = place.cardinality ?? Math.floor(requestBytesMax / (bytesMin(schema) + 1));
    const cost = program.costEstimate * often;
    if (ruleEstimateMax < cost) this.#errors.forbidden(field, overBudget(what, cost, ruleEstimateMax));
    this.#costs.push({ field, cost });
  }

  /** All rules of a version together; those that weigh most are named. */
  checkTotal(field: string): void {
    const total = this.#costs.reduce((sum, { cost }) => sum + cost, 0);
    if (total <= definitionEstimateMax) return;
    const heaviest = [...this.#costs].sort((left, right) => right.cost - left.cost).slice(0, 4);
    for (const { field: at, cost } of heaviest) {
      if (cost < definitionEstimateMax / 100) continue;
      this.#errors.forbidden(
        at,
        "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
      );
    }
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    this.#errors.forbidden(field, overBudget(what, total, definitionEstimateMax));
  }
}

function times(cardinality: number | undefined, more: number | undefined): number | undefined {
  return cardinality === undefined || more === undefined ? undefined : cardinality * more;
}

function overBudget(what: string, cost: number, costMax: number): string {
  const factor = cost / costMax;
  const text = 100 < factor ? "more than 100x" : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return (
    `${what} exceeds budget by factor of ${text} (try simplifying the rule, or adding maxItems, maxProperties, ` +
    "and maxLength where arrays, maps, and strings are declared)"
  );
}

const reasons = ["FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate"];

function checkWords(errors: FieldErrors, at: string, rule: ValidationRule): void {
  if (rule.message !== undefined && rule.message !== "") {
    if (rule.message.trim() === "")
      errors.invalid(`${at}.message`, rule.message, "message must be non-empty if specified");
    else if (messageLengthMax < rule.message.length)
      errors.invalid(
        `${at}.message`,
        `${rule.message.slice(0, 10)}...`,
        `message must be less than or equal to ${messageLengthMax} bytes`,
      );
  } else if (rule.rule?.trim().includes("\n") && !rule.messageExpression) {
    errors.required(`${at}.message`, "message must be specified if rule contains line breaks");
  }
  if (rule.messageExpression !== undefined && rule.messageExpression !== "" && rule.messageExpression.trim() === "")
    errors.required(`${at}.messageExpression`, "messageExpression must be non-empty if specified");
  if (rule.reason !== undefined && !reasons.includes(rule.reason))
    errors.notSupported(`${at}.reason`, rule.reason, reasons);
}

/** `.spec.x` or `['x']` from the schema of the rule down, through objects and maps only. */
function checkFieldPath(errors: FieldErrors, at: string, fieldPath: string, schema: JSONSchemaProps): void {
  const steps = fieldPath.match(/\.[A-Za-z_][\w-]*|\['(?:[^'\\]|\\.)*'\]/g) ?? [];
  if (steps.join("") !== fieldPath) {
    errors.invalid(at, fieldPath, "fieldPath must be a valid path: only child fields, written .name or ['name']");
    return;
  }
  let found: JSONSchemaProps | undefined = schema;
  for (const step of steps) {
    const name: string = step.startsWith(".") ? step.slice(1) : step.slice(2, -2).replace(/\\(.)/g, "$1");
    found = childOf(found, name);
    if (found === undefined) {
      errors.invalid(at, fieldPath, "fieldPath must be a valid path: does not refer to a valid field");
      return;
    }
  }
}

function childOf({ properties, additionalProperties }: JSONSchemaProps, name: string): JSONSchemaProps | undefined {
  if (properties !== undefined && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}
