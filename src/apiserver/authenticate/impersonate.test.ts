import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "../authorizer.ts";
import { Failure } from "../failure.ts";
import type { User } from "../user.ts";
import { impersonate, isImpersonationHeader } from "./impersonate.ts";

const caller: User = { name: "caller", uid: "1", groups: ["system:authenticated"], extra: {} };

/** An authorizer that allows what is listed as `resource name`. */
function allowing(...allowed: string[]): {
  authorize: (wanted: Attributes) => { allowed: true; reason: "" } | { allowed: false; denied: false; reason: "" };
} {
  return {
    authorize(wanted) {
      assert.equal(wanted.verb, "impersonate");
      assert.equal(wanted.user, caller);
      const group = wanted.group === "" ? "" : `.${wanted.group}`;
      const shown = [`${wanted.resource}${group}`, wanted.subresource, wanted.namespace, wanted.name]
        .filter((part) => part !== "")
        .join(" ");
      return allowed.includes(shown) ? { allowed: true, reason: "" } : { allowed: false, denied: false, reason: "" };
    },
  };
}

const all = {
  "impersonate-user": "jane",
  "impersonate-group": "dev, ops",
  "impersonate-uid": "u-1",
  "impersonate-extra-scopes": "a, b",
  "impersonate-extra-acme.com%2fproject": "p",
};
const needed = [
  "users jane",
  "groups dev",
  "groups ops",
  "uids.authentication.k8s.io u-1",
  "userextras.authentication.k8s.io scopes a",
  "userextras.authentication.k8s.io scopes b",
  "userextras.authentication.k8s.io acme.com/project p",
];

test("with every permission the caller becomes the other user", async () => {
  assert.deepEqual(await impersonate(all, caller, allowing(...needed)), {
    name: "jane",
    uid: "u-1",
    groups: ["dev", "ops", "system:authenticated"],
    extra: { scopes: ["a", "b"], "acme.com/project": ["p"] },
  });
});

for (const missing of needed) {
  test(`without the permission for ${missing} the answer is 403`, async () => {
    const result = await impersonate(all, caller, allowing(...needed.filter((one) => one !== missing)));
    assert.ok(result instanceof Failure);
    assert.equal(result.code, 403);
    assert.match(
      result.message,
      /^\w+(\.authentication\.k8s\.io)? "[^"]+" is forbidden: User "caller" cannot impersonate resource/,
    );
  });
}

test("without headers the caller stays who it is", async () => {
  assert.equal(await impersonate({ authorization: "x" }, caller, allowing()), caller);
});

test("groups, uid and extras without a user are a bad request", async () => {
  for (const header of ["impersonate-group", "impersonate-uid", "impersonate-extra-x"]) {
    const result = await impersonate({ [header]: "v" }, caller, allowing(...needed));
    assert.ok(result instanceof Failure && result.code === 400);
  }
});

test("a service account is judged as such and gets its groups", async () => {
  const headers = { "impersonate-user": "system:serviceaccount:shop:web" };
  assert.deepEqual(await impersonate(headers, caller, allowing("serviceaccounts shop web")), {
    name: "system:serviceaccount:shop:web",
    uid: "",
    groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
    extra: {},
  });
  assert.ok((await impersonate(headers, caller, allowing("users system:serviceaccount:shop:web"))) instanceof Failure);
});

test("who becomes anonymous is unauthenticated", async () => {
  const result = await impersonate(
    { "impersonate-user": "system:anonymous" },
    caller,
    allowing("users system:anonymous"),
  );
  assert.deepEqual("groups" in result && result.groups, ["system:unauthenticated"]);
});

test("a group whose name contains a comma is judged in its parts", async () => {
  const headers = { "impersonate-user": "jane", "impersonate-group": "dev,system:masters" };
  assert.ok(
    (await impersonate(headers, caller, allowing("users jane", "groups dev", "groups dev,system:masters"))) instanceof
      Failure,
  );
});

test("every impersonation header is known, so that none reaches a backend", () => {
  for (const header of Object.keys(all)) assert.ok(isImpersonationHeader(header));
  assert.ok(!isImpersonationHeader("x-impersonate-user"));
});
