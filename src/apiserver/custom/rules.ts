import type { JSONSchemaProps, ValidationRule } from "#api/generated/apiextensions-v1.ts";
import { kubernetesEnvironment } from "#cel/kubernetes.ts";
import { compileExpression, type Compiled } from "#cel/program.ts";
import { bool, optional, string, type Type } from "#cel/types.ts";
import { itemsOf, typeOfSchema } from "./schema-types.ts";

/** One rule of `x-kubernetes-validations`, compiled. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly test: Compiled;
  readonly message: Compiled | undefined;
  /** Looks at `oldSelf`. */
  readonly isTransition: boolean;
}

/** The rules of a schema and of what is below it; undefined where there are none. */
export interface RuleTree {
  readonly schema: JSONSchemaProps;
  readonly type: Type;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleTree>;
  readonly items: RuleTree | undefined;
  readonly values: RuleTree | undefined;
}

const trees = new WeakMap<JSONSchemaProps, { tree: RuleTree | undefined }>();

/** The compiled rules of a version's schema. Compiled once: schemas are never changed. */
export function rulesOfSchema(schema: JSONSchemaProps): RuleTree | undefined {
  const known = trees.get(schema);
  if (known !== undefined) return known.tree;
  const tree = makeTree(schema, true);
  trees.set(schema, { tree });
  return tree;
}

function makeTree(schema: JSONSchemaProps, isRoot: boolean): RuleTree | undefined {
  const isResource = isRoot || schema["x-kubernetes-embedded-resource"] === true;
  const type = typeOfSchema(schema, isRoot);
  const properties = new Map<string, RuleTree>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (isResource && name === "metadata") continue;
    const inner = makeTree(property, false);
    if (inner !== undefined) properties.set(name, inner);
  }
  const itemSchema = itemsOf(schema);
  const items = itemSchema && makeTree(itemSchema, false);
  const { additionalProperties } = schema;
  const values = typeof additionalProperties === "object" ? makeTree(additionalProperties, false) : undefined;
  const rules = type === undefined ? [] : allRules(schema).map((rule) => compileRule(rule, type));
  if (rules.length === 0 && properties.size === 0 && items === undefined && values === undefined) return undefined;
  return { schema, type: type ?? { kind: "dyn" }, rules, properties, items, values };
}

/** The schema's own rules and those of its allOf. */
function allRules(schema: JSONSchemaProps): readonly ValidationRule[] {
  const own = schema["x-kubernetes-validations"] ?? [];
  const inner = schema.allOf?.flatMap(allRules) ?? [];
  return inner.length === 0 ? own : [...own, ...inner];
}

export function compileRule(rule: ValidationRule, type: Type): CompiledRule {
  const oldType = rule.optionalOldSelf === true ? optional(type) : type;
  const environment = kubernetesEnvironment.with([
    { name: "self", type },
    { name: "oldSelf", type: oldType },
  ]);
  const test = compileExpression(environment, rule.rule, [bool]);
  const { messageExpression } = rule;
  const message =
    messageExpression === undefined || messageExpression === ""
      ? undefined
      : compileExpression(environment, messageExpression, [string]);
  return { rule, test, message, isTransition: /\boldSelf\b/.test(rule.rule) };
}
