import type { Authorizer, Decision } from "../authorizer.ts";

/** May do everything, always: the way in when roles are broken. */
export const superuserGroup = "system:masters";

/** Asks one authorizer after the other: the first that allows or denies decides; otherwise nobody allowed it. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(wanted) {
      if (wanted.user.groups.includes(superuserGroup)) return { allowed: true, reason: "" };
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(wanted);
        if (decision.allowed || decision.denied) return decision;
        if (decision.reason !== "") reasons.push(decision.reason);
      }
      return { allowed: false, denied: false, reason: reasons.join("\n") } satisfies Decision;
    },
    rulesFor(user, namespace) {
      const parts = authorizers.map((authorizer) => authorizer.rulesFor(user, namespace));
      const everything = user.groups.includes(superuserGroup);
      const all = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [] };
      return {
        resourceRules: [...(everything ? [all] : []), ...parts.flatMap((part) => part.resourceRules)],
        nonResourceRules: [
          ...(everything ? [{ verbs: ["*"], nonResourceURLs: ["*"] }] : []),
          ...parts.flatMap((part) => part.nonResourceRules),
        ],
        incomplete: parts.some((part) => part.incomplete),
      };
    },
  };
}
