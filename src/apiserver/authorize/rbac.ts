import type { PolicyRule } from "#api/generated/rbac-v1.ts";
import type { Attributes, Decision, LocalAuthorizer, ResourceRules } from "../authorizer.ts";
import { BoundedCache } from "../authenticate/bounded-cache.ts";
import type { ObjectReader } from "../object-reader.ts";
import type { User } from "../user.ts";
import { Grants, type Grant } from "./grants.ts";
import { foundPerUserMax, namespacesPerUserMax } from "./limits.ts";
import { ruleAllows } from "./rule.ts";

/** An authorizer that also tells a user's rules, for the checks against escalation. */
export interface Rbac extends LocalAuthorizer {
  /** Every rule that holds for the user in the namespace (cluster-wide ones only, when it is empty). */
  policyRules(user: User, namespace: string): PolicyRule[];
  /** The rules of a role that a binding in `namespace` refers to. */
  rulesOfRole(roleRef: { readonly kind: string; readonly name: string }, namespace: string): PolicyRule[];
}

interface UserGrants {
  readonly generation: number;
  readonly cluster: readonly Grant[];
  readonly byNamespace: Map<string, readonly Grant[]>;
  /** Which grant for the whole cluster allowed what was wanted, since the rules changed. */
  readonly found: BoundedCache<Found>;
  /** Whether a rule for the whole cluster names objects: only then a name makes a difference. */
  readonly isNamed: boolean;
}

interface Found extends Pick<Attributes, "verb" | "group" | "resource" | "subresource"> {
  readonly grant: Grant | undefined;
}

const noOpinion: Decision = { allowed: false, denied: false, reason: "" };

/**
 * Role based access control over the stored roles and bindings. A decision costs microseconds: what is bound to a user is
 * found once and kept while the user's object lives (authenticators give the same object for the same credential).
 */
export function createRbac(options: { readonly objects: ObjectReader }): Rbac {
  const grants = new Grants(options.objects);
  const kept = new WeakMap<User, UserGrants>();

  function grantsOfUser(user: User): UserGrants {
    const known = kept.get(user);
    if (known !== undefined && known.generation === grants.generation) return known;
    const cluster = grants.cluster(user);
    const fresh: UserGrants = {
      generation: grants.generation,
      cluster,
      byNamespace: new Map(),
      found: new BoundedCache(foundPerUserMax),
      isNamed: cluster.some(({ rules }) => rules.some(({ names }) => names !== undefined)),
    };
    kept.set(user, fresh);
    return fresh;
  }

  function namespaceGrants(user: User, own: UserGrants, namespace: string): readonly Grant[] {
    const known = own.byNamespace.get(namespace);
    if (known !== undefined) return known;
    const fresh = grants.inNamespace(user, namespace);
    if (own.byNamespace.size === namespacesPerUserMax) own.byNamespace.clear();
    own.byNamespace.set(namespace, fresh);
    return fresh;
  }

  function authorize(wanted: Attributes): Decision {
    const own = grantsOfUser(wanted.user);
    const cluster = clusterGrant(own, wanted);
    if (cluster !== undefined) return { allowed: true, reason: `RBAC: allowed by ${cluster.source}` };
    if (!wanted.isResource || wanted.namespace === "") return noOpinion;
    const local = firstAllowing(namespaceGrants(wanted.user, own, wanted.namespace), wanted);
    return local === undefined ? noOpinion : { allowed: true, reason: `RBAC: allowed by ${local.source}` };
  }

  function policyRules(user: User, namespace: string): PolicyRule[] {
    const own = grantsOfUser(user);
    const all = namespace === "" ? own.cluster : [...own.cluster, ...namespaceGrants(user, own, namespace)];
    return all.flatMap((grant) => grant.rules.map((compiled) => compiled.rule));
  }

  return {
    authorize,
    policyRules,
    rulesFor: (user, namespace) => toResourceRules(policyRules(user, namespace)),
    rulesOfRole: (roleRef, namespace) => grants.rulesOf({ roleRef }, namespace).map((compiled) => compiled.rule),
  };
}

/** The first grant for the whole cluster that allows it; found once for the objects of a resource. */
function clusterGrant(own: UserGrants, wanted: Attributes): Grant | undefined {
  if (!wanted.isResource || own.isNamed) return firstAllowing(own.cluster, wanted);
  const key = `${wanted.verb} ${wanted.group} ${wanted.resource} ${wanted.subresource}`;
  const known = own.found.get(key);
  // Different questions may have the same key where reviews ask with spaces.
  if (known !== undefined && isSame(known, wanted)) return known.grant;
  const grant = firstAllowing(own.cluster, wanted);
  const { verb, group, resource, subresource } = wanted;
  own.found.set(key, { verb, group, resource, subresource, grant });
  return grant;
}

function isSame(known: Found, { verb, group, resource, subresource }: Attributes): boolean {
  return (
    known.verb === verb && known.group === group && known.resource === resource && known.subresource === subresource
  );
}

function firstAllowing(grants: readonly Grant[], wanted: Attributes): Grant | undefined {
  for (const grant of grants) {
    for (const rule of grant.rules) if (ruleAllows(rule, wanted)) return grant;
  }
  return undefined;
}

function toResourceRules(rules: readonly PolicyRule[]): ResourceRules {
  const resourceRules: { verbs: string[]; apiGroups: string[]; resources: string[]; resourceNames: string[] }[] = [];
  const nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[] = [];
  for (const rule of rules) {
    if (rule.resources !== undefined && rule.resources.length !== 0) {
      resourceRules.push({
        verbs: [...rule.verbs],
        apiGroups: [...(rule.apiGroups ?? [])],
        resources: [...rule.resources],
        resourceNames: [...(rule.resourceNames ?? [])],
      });
    }
    if (rule.nonResourceURLs !== undefined && rule.nonResourceURLs.length !== 0) {
      nonResourceRules.push({ verbs: [...rule.verbs], nonResourceURLs: [...rule.nonResourceURLs] });
    }
  }
  return { resourceRules, nonResourceRules, incomplete: false };
}
