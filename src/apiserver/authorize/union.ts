import type { Attributes, Authorizer, Decision, LocalAuthorizer } from "../authorizer.ts";

/** May do everything, always: the way in when roles are broken. */
export const superuserGroup = "system:masters";

/** Asks one authorizer after the other: the first that allows or denies decides; otherwise nobody allowed it. */
export function unionAuthorizer(authorizers: readonly LocalAuthorizer[]): LocalAuthorizer;
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer;
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(wanted) {
      if (wanted.user.groups.includes(superuserGroup)) return { allowed: true, reason: "" };
      return askFrom(authorizers, 0, wanted, []);
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

/** Goes on at once while answers come at once: most questions never leave their turn. */
function askFrom(
  authorizers: readonly Authorizer[],
  from: number,
  wanted: Attributes,
  reasons: string[],
): Decision | Promise<Decision> {
  for (let index = from; index < authorizers.length; index += 1) {
    const decision = authorizers[index]!.authorize(wanted);
    if (decision instanceof Promise) {
      return decision.then((settled) => {
        if (settled.allowed || settled.denied) return settled;
        if (settled.reason !== "") reasons.push(settled.reason);
        return askFrom(authorizers, index + 1, wanted, reasons);
      });
    }
    if (decision.allowed || decision.denied) return decision;
    if (decision.reason !== "") reasons.push(decision.reason);
  }
  return { allowed: false, denied: false, reason: reasons.join("\n") };
}
