import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import type { FieldErrors } from "#api/validation/field-errors.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import { fromJson } from "#cel/json.ts";
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
  readonly #steps: Generator<void, void>;
  #until = Infinity;
  #costLeft = objectCostMax;

  constructor(errors: FieldErrors, tree: RuleTree, object: unknown, old: unknown, clock?: Pick<Clock, "monotonic">) {
    this.#errors = errors;
    this.#clock = clock;
    this.#visit(tree, "", object, old);
    this.#steps = this.#runPlaces();
  }

  /** Goes on until all is done, or, with a clock, for `turnMs` milliseconds; says whether all is done. */
  go(turnMs = Infinity): boolean {
    if (this.#clock !== undefined) this.#until = this.#clock.monotonic() + turnMs;
    return this.#steps.next().done === true;
  }

  readonly #isOver = (): boolean => this.#clock !== undefined && this.#until < this.#clock.monotonic();

  *#runPlaces(): Generator<void, void> {
    for (const { tree, path, value, old } of this.#places) {
      if (this.#costLeft < 0) return;
      // Rules that are broken already may stay so while their value is not touched.
      const isUnchanged = old !== undefined && semanticallyEqual(value, old);
      yield* this.#runAll(tree, path, value, old, isUnchanged);
      if (this.#isOver()) yield;
    }
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

  *#runAll(tree: RuleTree, path: string, value: unknown, old: unknown, isUnchanged: boolean): Generator<void, void> {
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
        yield* this.#run(tree.schema, rule, path, [self, oldSelf]);
      } catch (error) {
        if (!(error instanceof EvaluationFailure)) throw error;
        this.#fail(tree.schema, path, `${error.message} evaluating rule: ${ruleText(rule)}`);
      }
    }
  }

  *#run(
    schema: JSONSchemaProps,
    rule: CompiledRule,
    path: string,
    values: readonly (Value | undefined)[],
  ): Generator<void, void> {
    if (!rule.test.ok) {
      this.#fail(schema, path, `rule compile error: ${rule.test.message}`);
      return;
    }
    const costMax = Math.min(callCostMax, this.#costLeft);
    const result = yield* rule.test.program.inTurns(values, costMax, this.#isOver);
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
    else if (result.value !== true) this.#broken(schema, rule, path, yield* this.#messageOf(rule, values));
  }

  /** The message of a broken rule: its expression's, its own, or one that shows the rule. */
  *#messageOf({ rule, message }: CompiledRule, values: readonly (Value | undefined)[]): Generator<void, string> {
    const fallback = rule.message?.trim() || `failed rule: ${rule.rule.trim()}`;
    if (message?.ok !== true) return fallback;
    const costMax = Math.min(callCostMax, Math.max(0, this.#costLeft));
    const result = yield* message.program.inTurns(values, costMax, this.#isOver);
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
