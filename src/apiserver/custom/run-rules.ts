import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import type { FieldErrors } from "#api/validation/field-errors.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import type { IsLate } from "#cel/frame.ts";
import { fromJson } from "#cel/json.ts";
import { lateFromNow } from "#cel/late.ts";
import { EvaluationFailure } from "#cel/failure.ts";
import { none, Optional, type Value } from "#cel/value.ts";
import { isRecord } from "#codec/record.ts";
import type { Clock } from "#world/clock.ts";
import { correlated } from "./correlate.ts";
import { callCostMax, messageLengthMax, objectCostMax } from "./limits.ts";
import type { CompiledRule, RuleTree } from "./rules.ts";

/** Runs the rules of a schema on an object, all in one turn; `old` is what it replaces, undefined for creations. */
export function runRules(errors: FieldErrors, tree: RuleTree, object: unknown, old: unknown): void {
  new RuleRun(errors, tree, object, old).go();
}

/** Places where rules stand, with their values. */
interface Place {
  readonly tree: RuleTree;
  readonly path: string;
  readonly value: unknown;
  readonly old: unknown;
}

/** All rules for one object, in the order of the schema. They may be many: whoever runs them can take turns with others. */
export class RuleRun {
  readonly #errors: FieldErrors;
  readonly #clock: Pick<Clock, "monotonic"> | undefined;
  readonly #places: Place[] = [];
  #next = 0;
  #costLeft = objectCostMax;

  constructor(errors: FieldErrors, tree: RuleTree, object: unknown, old: unknown, clock?: Pick<Clock, "monotonic">) {
    this.#errors = errors;
    this.#clock = clock;
    this.#visit(tree, "", object, old);
  }

  /** Goes on until all is done, or, with a clock, for `turnMs` milliseconds; says whether all is done. */
  go(turnMs = Infinity): boolean {
    const until = this.#clock === undefined ? Infinity : this.#clock.monotonic() + turnMs;
    while (this.#next < this.#places.length && this.#costLeft >= 0) {
      const { tree, path, value, old } = this.#places[this.#next]!;
      this.#next += 1;
      // Rules that are broken already may stay so while their value is not touched.
      const isUnchanged = old !== undefined && semanticallyEqual(value, old);
      this.#runAll(tree, path, value, old, isUnchanged);
      if (this.#clock !== undefined && until < this.#clock.monotonic()) break;
    }
    return this.#next >= this.#places.length || this.#costLeft < 0;
  }

  #visit(tree: RuleTree, path: string, value: unknown, old: unknown): void {
    if (value === undefined || value === null) return;
    if (tree.rules.length > 0) this.#places.push({ tree, path, value, old });
    if (isRecord(value)) {
      const oldRecord = isRecord(old) ? old : undefined;
      for (const [name, inner] of tree.properties) {
        this.#visit(inner, at(path, name), value[name], oldRecord?.[name]);
      }
      if (tree.values !== undefined) {
        for (const name of Object.keys(value)) {
          if (tree.schema.properties !== undefined && Object.hasOwn(tree.schema.properties, name)) continue;
          this.#visit(tree.values, at(path, name), value[name], oldRecord?.[name]);
        }
      }
    } else if (Array.isArray(value) && tree.items !== undefined) {
      const items = value as unknown[];
      const find = correlated(tree.schema, old);
      for (let i = 0; i < items.length; i += 1) this.#visit(tree.items, `${path}[${i}]`, items[i], find(items[i]));
    }
  }

  #runAll(tree: RuleTree, path: string, value: unknown, old: unknown, isUnchanged: boolean): void {
    let self: Value | undefined;
    for (const rule of tree.rules) {
      if (this.#costLeft < 0) return;
      if (isUnchanged && !rule.isTransition) continue;
      const isOptional = rule.rule.optionalOldSelf === true;
      if (rule.isTransition && old === undefined && !isOptional) continue;
      try {
        self ??= fromJson(value, tree.type);
        const oldValue = old === undefined || old === null ? undefined : fromJson(old, tree.type);
        const oldSelf = isOptional ? (oldValue === undefined ? none : new Optional(oldValue)) : oldValue;
        this.#run(tree.schema, rule, path, [self, oldSelf]);
      } catch (error) {
        if (!(error instanceof EvaluationFailure)) throw error;
        this.#fail(tree.schema, path, `${error.message} evaluating rule: ${ruleText(rule)}`);
      }
    }
  }

  #run(schema: JSONSchemaProps, rule: CompiledRule, path: string, values: readonly (Value | undefined)[]): void {
    if (!rule.test.ok) {
      this.#fail(schema, path, `rule compile error: ${rule.test.message}`);
      return;
    }
    const result = rule.test.program.evaluate(values, Math.min(callCostMax, this.#costLeft), this.#isLate());
    this.#costLeft -= result.cost;
    if (!result.ok && result.isOverBudget) {
      const isOwn = callCostMax < result.cost || this.#costLeft >= 0;
      this.#costLeft = -1;
      const why = isOwn
        ? `call cost exceeds limit for rule: ${rule.rule.rule}, no further validation rules will be run ` +
          `due to call cost exceeds limit for rule`
        : `validation failed due to running out of cost budget, no further validation rules will be run`;
      this.#fail(schema, path, why);
    } else if (!result.ok) this.#fail(schema, path, `${result.message} evaluating rule: ${ruleText(rule)}`);
    else if (result.value !== true) this.#broken(schema, rule, path, this.#messageOf(rule, values));
  }

  #isLate(): IsLate | undefined {
    return this.#clock && lateFromNow(this.#clock);
  }

  /** The message of a broken rule: its expression's, its own, or one that shows the rule. */
  #messageOf({ rule, message }: CompiledRule, values: readonly (Value | undefined)[]): string {
    const fallback = rule.message?.trim() || `failed rule: ${rule.rule.trim()}`;
    if (message?.ok !== true) return fallback;
    const result = message.program.evaluate(values, Math.min(callCostMax, Math.max(0, this.#costLeft)), this.#isLate());
    this.#costLeft -= result.cost;
    if (!result.ok || typeof result.value !== "string") return fallback;
    const text = result.value.trim();
    return text === "" || text.includes("\n") || messageLengthMax < text.length ? fallback : text;
  }

  #broken(schema: JSONSchemaProps, { rule }: CompiledRule, path: string, message: string): void {
    const field = rule.fieldPath === undefined || rule.fieldPath === "" ? path : below(path, rule.fieldPath);
    const shown = rootPath(field);
    switch (rule.reason) {
      case "FieldValueForbidden":
        this.#errors.forbidden(shown, message);
        break;
      case "FieldValueRequired":
        this.#errors.required(shown, message);
        break;
      case "FieldValueDuplicate":
        this.#errors.duplicate(shown, typeText(schema));
        break;
      default:
        this.#errors.invalid(shown, typeText(schema), message);
    }
  }

  #fail(schema: JSONSchemaProps, path: string, message: string): void {
    this.#errors.invalid(rootPath(path), typeText(schema), message);
  }
}

function typeText(schema: JSONSchemaProps): string {
  return schema.type ?? "";
}

function rootPath(path: string): string {
  return path === "" ? "<nil>" : path;
}

function ruleText({ rule }: CompiledRule): string {
  return rule.message?.trim() || rule.rule.trim();
}

function at(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** `fieldPath` (`.spec.x`, `['a.b']`) behind the rule's own place. */
function below(path: string, fieldPath: string): string {
  const rest = fieldPath.replace(/\['((?:[^'\\]|\\.)*)'\]/g, (_, name: string) => `.${name.replace(/\\(.)/g, "$1")}`);
  return path === "" ? rest.replace(/^\./, "") : path + rest;
}
