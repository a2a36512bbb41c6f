/** Tokens of ServiceAccounts in Secrets, against a running cluster: nothing of the program is imported. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { gone, objectAt } from "../conformance/apps-objects.ts";
import { pick, startSuite, type Json } from "../conformance/cluster.ts";

const suite = startSuite();
after(() => suite.stop());

const secretFor = (name: string, account: string): Json => ({
  metadata: { name, annotations: { "kubernetes.io/service-account.name": account } },
  type: "kubernetes.io/service-account-token",
});

const decoded = (object: Json, key: string): string => Buffer.from(String(pick(object, key)), "base64").toString();

test("a Secret holds a token that works until the Secret or its account goes", () =>
  suite.play(async (scene) => {
    const { api, core, namespace } = scene;
    await api.create(core("serviceaccounts"), { metadata: { name: "robot" } });
    const tokenOf = async (secret: string): Promise<string> => {
      await api.create(core("secrets"), secretFor(secret, "robot"));
      const filled = await objectAt(
        scene,
        `${secret} is filled`,
        core("secrets", secret),
        (object) => pick(object, "data.token") !== undefined,
      );
      assert.equal(decoded(filled, "data.namespace"), namespace);
      const authority = Buffer.from(String((pick(filled, "data") as Json)["ca.crt"]), "base64").toString();
      assert.match(authority, /^-----BEGIN CERTIFICATE-----/);
      return decoded(filled, "data.token");
    };
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const whoIs = async (token: string): Promise<unknown> => {
      const { status, body } = await api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, {
        token,
      });
      return status === 201 ? pick(body, "status.userInfo.username") : status;
    };
    const [first, second] = [await tokenOf("first"), await tokenOf("second")];
    assert.equal(await whoIs(first), `system:serviceaccount:${namespace}:robot`);
    await api.expect("DELETE", core("secrets", "first"));
    assert.equal(await whoIs(first), 401);
    assert.equal(await whoIs(second), `system:serviceaccount:${namespace}:robot`);
    await api.expect("DELETE", core("serviceaccounts", "robot"));
    assert.equal(await whoIs(second), 401);
    await gone(scene, core("secrets", "second"));
    await api.create(core("secrets"), secretFor("orphan", "nobody"));
    await gone(scene, core("secrets", "orphan"));
  }));
