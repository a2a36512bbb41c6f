import type { ClusterRoleBinding, RoleBinding, Subject } from "#api/generated/rbac-v1.ts";
import { clusterrolebindings, clusterroles, rolebindings, roles } from "#api/generated/resources.ts";
import type { ObjectReader } from "../object-reader.ts";
import type { User } from "../user.ts";
import { namespaceIndexesMax } from "./limits.ts";
import { compileRule, type CompiledRule } from "./rule.ts";
import { getStored, listStored } from "./stored.ts";

/** What one binding gives to one subject. */
export interface Grant {
  readonly rules: readonly CompiledRule[];
  /** For the decision's reason: `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`. */
  readonly source: string;
}

type Index = ReadonlyMap<string, readonly Grant[]>;

/**
 * Who is bound to which rules, by subject. An index is made when first asked for after a change: the cluster-wide one, and
 * one for each namespace that requests name.
 */
export class Grants {
  readonly #objects: ObjectReader;
  readonly #compiled = new WeakMap<object, readonly CompiledRule[]>();
  #cluster: Index | undefined;
  #byNamespace = new Map<string, Index>();
  /** Counts changes, so that whoever keeps an answer knows when it is old. */
  generation = 0;

  constructor(objects: ObjectReader) {
    this.#objects = objects;
    const changed = (): void => {
      this.generation++;
      this.#cluster = undefined;
      this.#byNamespace.clear();
    };
    for (const resource of [clusterroles, clusterrolebindings, roles, rolebindings])
      objects.onChange(resource, changed);
  }

  /** Grants that hold everywhere. */
  cluster(user: User): Grant[] {
    this.#cluster ??= this.#indexCluster();
    return grantsOf(this.#cluster, user);
  }

  /** Grants that hold in this namespace only. */
  inNamespace(user: User, namespace: string): Grant[] {
    let index = this.#byNamespace.get(namespace);
    if (index === undefined) {
      index = this.#indexNamespace(namespace);
      if (this.#byNamespace.size === namespaceIndexesMax) this.#byNamespace.clear();
      this.#byNamespace.set(namespace, index);
    }
    return grantsOf(index, user);
  }

  #indexCluster(): Index {
    const index = new Map<string, Grant[]>();
    for (const binding of listStored(this.#objects, clusterrolebindings)) {
      addBinding(index, binding, "", `ClusterRoleBinding "${binding.metadata.name}"`, this.rulesOf(binding, ""));
    }
    return index;
  }

  #indexNamespace(namespace: string): Index {
    const index = new Map<string, Grant[]>();
    for (const binding of listStored(this.#objects, rolebindings, namespace)) {
      const name = `RoleBinding "${binding.metadata.name}/${namespace}"`;
      addBinding(index, binding, namespace, name, this.rulesOf(binding, namespace));
    }
    return index;
  }

  /** The rules of a binding's role; none when the role does not exist (yet). */
  rulesOf(
    binding: { readonly roleRef: { readonly kind: string; readonly name: string } },
    namespace: string,
  ): readonly CompiledRule[] {
    const { kind, name } = binding.roleRef;
    const role =
      kind === "ClusterRole"
        ? getStored(this.#objects, clusterroles, undefined, name)
        : namespace === ""
          ? undefined
          : getStored(this.#objects, roles, namespace, name);
    if (role === undefined) return [];
    let rules = this.#compiled.get(role);
    if (rules === undefined) {
      rules = (role.rules ?? []).map(compileRule);
      this.#compiled.set(role, rules);
    }
    return rules;
  }
}

function addBinding(
  index: Map<string, Grant[]>,
  binding: ClusterRoleBinding | RoleBinding,
  namespace: string,
  name: string,
  rules: readonly CompiledRule[],
): void {
  if (rules.length === 0) return;
  for (const subject of binding.subjects ?? []) {
    const key = keyOfSubject(subject, namespace);
    if (key === undefined) continue;
    const shown =
      subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace ?? namespace}` : subject.name;
    const source = `${name} of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${subject.kind} "${shown}"`;
    const grants = index.get(key);
    if (grants === undefined) index.set(key, [{ rules, source }]);
    else grants.push({ rules, source });
  }
}

function keyOfSubject(subject: Subject, bindingNamespace: string): string | undefined {
  if (subject.kind === "User") return `user ${subject.name}`;
  if (subject.kind === "Group") return `group ${subject.name}`;
  const namespace = subject.namespace === undefined || subject.namespace === "" ? bindingNamespace : subject.namespace;
  if (subject.kind !== "ServiceAccount" || namespace === "") return undefined;
  return `user system:serviceaccount:${namespace}:${subject.name}`;
}

function grantsOf(index: Index, user: User): Grant[] {
  const out: Grant[] = [...(index.get(`user ${user.name}`) ?? [])];
  for (const group of user.groups) {
    const grants = index.get(`group ${group}`);
    if (grants !== undefined) out.push(...grants);
  }
  return out;
}
