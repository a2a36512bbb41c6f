/** A node that was thought silent, because the controllers saw nothing for a while, says soon that it is not. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { objectAt } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Json } from "../conformance/cluster.ts";

const suite = startSuite();
after(() => suite.stop());

const readiness = (node: Json): unknown =>
  pick(
    arrayAt(node, "status.conditions").find((condition) => pick(condition, "type") === "Ready"),
    "status",
  );

test("a living node takes back what is said of it", () =>
  suite.play(async (scene) => {
    const { api } = scene;
    const [node] = arrayAt((await api.request("GET", "/api/v1/nodes")).body, "items");
    const path = `/api/v1/nodes/${nameOf(node)}`;
    const silent = { type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", message: "nothing was heard" };
    const conditions = arrayAt(node, "status.conditions").map((one) => (pick(one, "type") === "Ready" ? silent : one));
    const said = await api.patch(`${path}/status`, { status: { conditions } });
    assert.equal(readiness(said), "Unknown");
    await objectAt(scene, "the node is Ready again", path, (object) => readiness(object) === "True");
  }));
