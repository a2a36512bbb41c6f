import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from "#api/generated/rbac-v1.ts";
import { clusterrolebindings, clusterroles, rolebindings, roles } from "#api/generated/resources.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import type { Authorizer } from "../authorizer.ts";
import { uncoveredRules } from "../authorize/cover.ts";
import type { Rbac } from "../authorize/rbac.ts";
import { allow, forbid, isAbout, objectOf, oldObjectOf } from "./request.ts";

const group = "rbac.authorization.k8s.io";
const everything: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

export interface EscalationOptions {
  /** Everybody that may allow: who has the verb `escalate` or `bind` may give more than they have. */
  readonly authorizer: Pick<Authorizer, "authorize">;
  readonly rbac: Pick<Rbac, "policyRules" | "rulesOfRole">;
}

/**
 * Nobody gives more than they have: writing a role needs all of its rules, writing a binding all rules of its role
 * (Kubernetes: "Privilege escalation prevention and bootstrapping"). A label that makes a role part of another one gives
 * its rules away like a binding, so changed labels are judged as changed rules are; upstream does not look at them.
 */
export function rbacEscalation(options: EscalationOptions): AdmissionPlugin {
  return {
    name: "RbacEscalation",
    validate(request) {
      if (request.group !== group || request.operation === "DELETE") return allow;
      if (isAbout(request, roles))
        return judgeRole(request, objectOf(request, roles), oldObjectOf(request, roles), options);
      if (isAbout(request, clusterroles))
        return judgeRole(request, objectOf(request, clusterroles), oldObjectOf(request, clusterroles), options);
      if (isAbout(request, rolebindings))
        return judgeBinding(request, objectOf(request, rolebindings), oldObjectOf(request, rolebindings), options);
      if (!isAbout(request, clusterrolebindings)) return allow;
      return judgeBinding(
        request,
        objectOf(request, clusterrolebindings),
        oldObjectOf(request, clusterrolebindings),
        options,
      );
    },
  };
}

async function judgeRole(
  request: AdmissionRequest,
  role: (Role & Pick<ClusterRole, "aggregationRule">) | undefined,
  old: (Role & Pick<ClusterRole, "aggregationRule">) | undefined,
  options: EscalationOptions,
): Promise<Verdict> {
  if (role === undefined) return allow;
  if (
    old !== undefined &&
    same(role.rules, old.rules) &&
    same(role.aggregationRule, old.aggregationRule) &&
    same(role.metadata.labels, old.metadata.labels)
  ) {
    return allow;
  }
  const name = request.name || (role.metadata.name ?? "");
  if (await may("escalate", request, { resource: request.resource, name }, options)) return allow;
  if (role.aggregationRule !== undefined && !same(role.aggregationRule, old?.aggregationRule)) {
    const missing = uncoveredRules(options.rbac.policyRules(request.user, ""), everything);
    if (missing.length !== 0) return forbid("must have cluster-admin privileges to use an aggregationRule");
  }
  return judgeRules(request, role.rules ?? [], options);
}

async function judgeBinding(
  request: AdmissionRequest,
  binding: RoleBinding | ClusterRoleBinding | undefined,
  old: RoleBinding | ClusterRoleBinding | undefined,
  options: EscalationOptions,
): Promise<Verdict> {
  if (binding === undefined) return allow;
  if (old !== undefined && same(binding.roleRef, old.roleRef) && same(binding.subjects, old.subjects)) return allow;
  const { kind, name } = binding.roleRef;
  const resource = kind === "ClusterRole" ? clusterroles.resource : roles.resource;
  if (await may("bind", request, { resource, name }, options)) return allow;
  return judgeRules(request, options.rbac.rulesOfRole(binding.roleRef, request.namespace), options);
}

function judgeRules(request: AdmissionRequest, rules: readonly PolicyRule[], options: EscalationOptions): Verdict {
  const { user } = request;
  const missing = uncoveredRules(options.rbac.policyRules(user, request.namespace), rules);
  if (missing.length === 0) return allow;
  const groups = `[${user.groups.map((name) => JSON.stringify(name)).join(" ")}]`;
  const list = missing.slice(0, rulesShownMax).map(showRule).join("\n");
  return forbid(
    `user ${JSON.stringify(user.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${list}`,
  );
}

const rulesShownMax = 50;

function showRule(rule: PolicyRule): string {
  const list = (values: readonly string[] | undefined): string =>
    `[${(values ?? []).map((value) => JSON.stringify(value)).join(" ")}]`;
  const parts = [
    ...(rule.apiGroups === undefined ? [] : [`APIGroups:${list(rule.apiGroups)}`]),
    ...(rule.resources === undefined ? [] : [`Resources:${list(rule.resources)}`]),
    ...(rule.resourceNames === undefined ? [] : [`ResourceNames:${list(rule.resourceNames)}`]),
    ...(rule.nonResourceURLs === undefined ? [] : [`NonResourceURLs:${list(rule.nonResourceURLs)}`]),
    `Verbs:${list(rule.verbs)}`,
  ];
  return `{${parts.join(", ")}}`;
}

async function may(
  verb: string,
  request: AdmissionRequest,
  about: { resource: string; name: string },
  options: EscalationOptions,
): Promise<boolean> {
  const { user, namespace } = request;
  const common = { user, verb, isResource: true, group, version: "v1", subresource: "", namespace, path: "" };
  const { allowed } = await options.authorizer.authorize({ ...common, ...about });
  return allowed;
}

/** Equal as values. Both sides were decoded by the same walk, so fields stand in the same order. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
