import assert from "node:assert/strict";
import { test } from "node:test";
import { secretDeclaration, type SecretView } from "../views/namespace.ts";
import { planTokenSecret } from "./plan.ts";

const rootCa = "authority";

function secret(data: Record<string, string> = {}, annotations: Record<string, string> = {}): SecretView {
  return secretDeclaration.project({
    metadata: {
      name: "token",
      namespace: "default",
      uid: "1",
      annotations: { "kubernetes.io/service-account.name": "robot", ...annotations },
    },
    type: "kubernetes.io/service-account-token",
    data,
  } as never);
}

const filled = { token: btoa("abc"), "ca.crt": btoa(rootCa), namespace: btoa("default") };
const uidAnnotation = "kubernetes.io/service-account.uid";

test("a Secret gets its token once, what is out of date anew, and goes with its account", () => {
  const check = (
    view: SecretView,
    accountUid: string | undefined,
    expected: "nothing" | "delete" | readonly string[],
    token?: string,
  ): void => {
    const plan = planTokenSecret({ secret: view, accountUid, rootCa, token });
    const [action] = plan?.actions ?? [];
    if (action === undefined || action.verb !== "patch") return assert.equal(action?.verb ?? "nothing", expected);
    const { data } = action.patch as { data: Record<string, string> };
    return assert.deepEqual(Object.keys(data).sort(), expected);
  };
  check(secret(), "a", ["ca.crt", "namespace", "token"], "abc");
  check(secret(filled), "a", ["ca.crt", "namespace"]);
  check(secret(filled, { [uidAnnotation]: "a" }), "a", "nothing");
  check(secret({ ...filled, "ca.crt": btoa("old") }, { [uidAnnotation]: "a" }), "a", ["ca.crt", "namespace"]);
  check(secret(filled, { [uidAnnotation]: "a" }), "b", "delete");
  check(secret(filled, { [uidAnnotation]: "a" }), undefined, "delete");
  check(secret(), undefined, "delete");
});
