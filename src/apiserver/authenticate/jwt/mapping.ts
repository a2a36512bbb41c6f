import { fromJson } from "#cel/json.ts";
import { kubernetesEnvironment } from "#cel/kubernetes.ts";
import { compileExpression, type Program } from "#cel/program.ts";
import { bool, dyn, list, map, string, type ObjectField, type ObjectType, type Type } from "#cel/types.ts";
import { ListValue, type Value } from "#cel/value.ts";
import type { ClaimSource, JwtIssuer, Rule } from "../../configuration/authentication.ts";
import type { Steps } from "../../turns.ts";
import type { User } from "../../user.ts";
import { withAuthenticated } from "../groups.ts";
import { jwtCostMax, jwtGroupsMax } from "../limits.ts";

type Claims = Readonly<Record<string, unknown>>;

/** What an issuer's claims make of a caller, or why they make nobody. */
export type Mapped = { readonly ok: true; readonly user: User } | { readonly ok: false; readonly detail: string };

/** In turns: `isOver` says when others should get theirs. */
export type MapClaims = (claims: Claims, isOver: () => boolean) => Steps<Mapped>;

export type CompiledMapping =
  | { readonly ok: true; readonly map: MapClaims }
  | { readonly ok: false; readonly problem: string };

const claimsEnvironment = kubernetesEnvironment.with([{ name: "claims", type: map(string, dyn) }]);

const userFields: Readonly<Record<string, Type>> = {
  username: string,
  uid: string,
  groups: list(string),
  extra: map(string, list(string)),
};
const userType: ObjectType = {
  kind: "object",
  name: "kubernetes.UserInfo",
  fields: new Map(Object.entries(userFields).map(([name, type]): [string, ObjectField] => [name, { name, type }])),
};
const userEnvironment = kubernetesEnvironment.with([{ name: "user", type: userType }]);

class MappingFailure extends Error {
  override readonly name = "MappingFailure";
}

/** Cost units are shared by everything that is evaluated for one token. */
interface Budget {
  left: number;
  readonly isOver: () => boolean;
}

/** Compiles all expressions of an issuer; the mapping itself is pure. */
export function compileMapping(issuer: JwtIssuer): CompiledMapping {
  const problems: string[] = [];
  const compile = (text: string, environment: typeof claimsEnvironment, expected: readonly Type[]): Program[] => {
    const compiled = compileExpression(environment, text, expected);
    if (compiled.ok) return [compiled.program];
    problems.push(`${JSON.stringify(text)}: ${compiled.message}`);
    return [];
  };
  const ofRules = (rules: readonly Rule[], environment: typeof claimsEnvironment): CompiledRule[] =>
    rules.flatMap((rule) => compile(rule.expression, environment, [bool]).map((program) => ({ ...rule, program })));
  const ofSource = (source: ClaimSource, expected: readonly Type[]): CompiledSource => {
    if (source === undefined || "claim" in source) return source;
    return compile(source.expression, claimsEnvironment, expected)[0];
  };
  const compiled: Compiled = {
    issuer,
    claimRules: ofRules(issuer.claimRules, claimsEnvironment),
    userRules: ofRules(issuer.userRules, userEnvironment),
    username: ofSource(issuer.username, [string]),
    groups: ofSource(issuer.groups, [string, list(string)]),
    uid: ofSource(issuer.uid, [string]),
    extra: issuer.extra.flatMap(({ key, expression }) =>
      compile(expression, claimsEnvironment, [string, list(string)]).map((program) => ({ key, program })),
    ),
  };
  if (problems.length > 0) return { ok: false, problem: problems.join("; ") };
  return {
    ok: true,
    *map(claims, isOver) {
      try {
        return { ok: true, user: yield* mapClaims(compiled, claims, isOver) };
      } catch (error) {
        if (!(error instanceof MappingFailure)) throw error;
        return { ok: false, detail: error.message };
      }
    },
  };
}

interface CompiledRule extends Rule {
  readonly program: Program;
}
type CompiledSource = { readonly claim: string; readonly prefix: string } | Program | undefined;

interface Compiled {
  readonly issuer: JwtIssuer;
  readonly claimRules: readonly CompiledRule[];
  readonly userRules: readonly CompiledRule[];
  readonly username: CompiledSource;
  readonly groups: CompiledSource;
  readonly uid: CompiledSource;
  readonly extra: readonly { readonly key: string; readonly program: Program }[];
}

function* mapClaims(compiled: Compiled, claims: Claims, isOver: () => boolean): Steps<User> {
  const { issuer } = compiled;
  const budget: Budget = { left: jwtCostMax, isOver };
  const values = [fromJson(claims, map(string, dyn))];
  for (const { claim, value } of issuer.requiredClaims) {
    if (claims[claim] !== value) throw new MappingFailure(`claim ${claim} is not what is required`);
  }
  yield* checkRules(compiled.claimRules, values, budget);
  const name = yield* usernameOf(compiled.username, claims, values, budget);
  const groups = yield* textsOf(compiled.groups, claims, values, budget, "groups");
  const uid = (yield* textOf(compiled.uid, claims, values, budget, "uid")) ?? "";
  const extra: Record<string, string[]> = {};
  for (const { key, program } of compiled.extra) {
    const found = yield* textsOf(program, claims, values, budget, `extra ${key}`);
    if (found.length > 0) extra[key] = found;
  }
  const user = { name, uid, groups, extra };
  const seen = { username: name, uid, groups, extra };
  yield* checkRules(compiled.userRules, [fromJson(seen, userType)], budget);
  return { ...user, groups: withAuthenticated(groups) };
}

function* checkRules(rules: readonly CompiledRule[], values: readonly Value[], budget: Budget): Steps<void> {
  for (const { program, expression, message } of rules) {
    if ((yield* evaluate(program, values, budget)) === true) continue;
    throw new MappingFailure(message === "" ? `validation expression '${expression}' failed` : message);
  }
}

function* usernameOf(source: CompiledSource, claims: Claims, values: readonly Value[], budget: Budget): Steps<string> {
  // An address that its owner never proved is nobody's name.
  const isEmail = source !== undefined && "claim" in source && source.claim === "email";
  if (isEmail && claims["email_verified"] !== undefined && claims["email_verified"] !== true)
    throw new MappingFailure("the email address is not verified");
  const name = yield* textOf(source, claims, values, budget, "username");
  if (name === undefined || name === "") throw new MappingFailure("the username is empty");
  return name;
}

function* textOf(
  source: CompiledSource,
  claims: Claims,
  values: readonly Value[],
  budget: Budget,
  what: string,
): Steps<string | undefined> {
  if (source === undefined) return undefined;
  const found = "claim" in source ? claims[source.claim] : plain(yield* evaluate(source, values, budget));
  if (found === undefined) {
    // Who names a claim counts on it.
    throw new MappingFailure(`the claim of ${what} is not there`);
  }
  if (typeof found !== "string") throw new MappingFailure(`${what} is no string`);
  return "claim" in source && found !== "" ? source.prefix + found : found;
}

/** A string or a list of strings; nothing, and empty strings, are left out. */
function* textsOf(
  source: CompiledSource,
  claims: Claims,
  values: readonly Value[],
  budget: Budget,
  what: string,
): Steps<string[]> {
  if (source === undefined) return [];
  const found = "claim" in source ? claims[source.claim] : plain(yield* evaluate(source, values, budget));
  if (found === undefined || found === null) return [];
  const texts: readonly unknown[] = Array.isArray(found) ? found : [found];
  if (jwtGroupsMax < texts.length) throw new MappingFailure(`there are too many ${what}`);
  const prefix = "claim" in source ? source.prefix : "";
  return texts.flatMap((text) => {
    if (typeof text !== "string") throw new MappingFailure(`${what} is no list of strings`);
    return text === "" ? [] : [prefix + text];
  });
}

function* evaluate(program: Program, values: readonly Value[], budget: Budget): Steps<Value> {
  const result = yield* program.inTurns(values, budget.left, budget.isOver);
  budget.left -= result.cost;
  if (!result.ok) throw new MappingFailure(`expression '${program.text}' resulted in error: ${result.message}`);
  return result.value;
}

/** Strings and lists as plain data; for anything else a value that is neither, so that it is refused by who looks. */
function plain(value: Value): unknown {
  if (value === null || typeof value === "string") return value;
  if (!(value instanceof ListValue)) return {};
  return Array.from({ length: Math.min(value.size, jwtGroupsMax + 1) }, (_, index) => value.at(index));
}
