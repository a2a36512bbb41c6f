import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "#api/generated/discovery-v1.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { withZoneHints, zoneShares } from "./zone-hints.ts";

/** `2a 1b`: so many ready endpoints in each zone; `!a` is not ready there. */
function endpoints(text: string): Endpoint[] {
  return text.split(" ").flatMap((part) => {
    const [, count = "", off = "", zone = ""] = /^(\d*)(!?)(\w*)$/.exec(part)!;
    return Array.from({ length: Number(count || "1") }, (_, at) => ({
      addresses: [`10.0.0.${at}`],
      conditions: { ready: off === "" },
      ...(zone === "" ? {} : { zone }),
      targetRef: { uid: `${zone}${at}` },
    }));
  });
}

/** `a>b`: an endpoint in zone a that is for zone b; `a`: without a hint. */
function hinted(text: string, shares: Record<string, number> | undefined): string {
  const group = { addressType: "IPv4", ports: [], endpoints: endpoints(text) };
  const [result] = withZoneHints([group], shares && new Map(Object.entries(shares)));
  return result!.endpoints
    .map(({ zone, hints }) => [zone, hints?.forZones?.[0]?.name].filter(Boolean).join(">"))
    .join(" ");
}

test("each zone gets endpoints by its processors, its own first, or nobody gets a hint", () => {
  const check = (text: string, shares: Record<string, number> | undefined, expected: string): void =>
    assert.equal(hinted(text, shares), expected, text);
  const halves = { a: 0.5, b: 0.5 };
  check("2a 2b", halves, "a>a a>a b>b b>b");
  check("3a 1b", halves, "a>a a>a a>b b>b");
  check("6a", halves, "a>a a>a a>a a>b a>b a>b");
  check("3a 3b 3c", { a: 1 / 3, b: 1 / 3, c: 1 / 3 }, "a>a a>a a>a b>b b>b b>b c>c c>c c>c");
  check("4a 2b", { a: 2 / 3, b: 1 / 3 }, "a>a a>a a>a a>a b>b b>b");
  // A zone without nodes that serve gives what it has away.
  check("2a 2b 2c", halves, "a>a a>a b>b b>b c>b c>a");
  check("2a 2b !a", halves, "a>a a>a b>b b>b a");
  // Too few, too uneven, or not known: each client takes any of them.
  check("1a", halves, "a");
  check("1a 1b", { a: 0.9, b: 0.1 }, "a b");
  check("2a 2b", { a: 1 }, "a a b b");
  check("2a 2b", undefined, "a a b b");
  check("2a 1", halves, "a a ");
});

function node(name: string, zone: string, cpu: string, labels: Record<string, string> = {}, ready = "True"): NodeView {
  return nodeDeclaration.project({
    metadata: { name, labels: { ...(zone !== "" && { "topology.kubernetes.io/zone": zone }), ...labels } },
    status: { allocatable: { cpu }, conditions: [{ type: "Ready", status: ready }] },
  } as never);
}

test("nodes count by their processors; control planes and nodes that are not ready do not", () => {
  const check = (nodes: readonly NodeView[], expected: Record<string, number> | undefined): void => {
    const shares = zoneShares(nodes);
    assert.deepEqual(shares && Object.fromEntries(shares), expected);
  };
  check([node("1", "a", "2"), node("2", "b", "6")], { a: 0.25, b: 0.75 });
  const control = { "node-role.kubernetes.io/control-plane": "" };
  check([node("1", "a", "2"), node("2", "b", "2", control), node("3", "c", "1", {}, "False")], { a: 1 });
  check([node("1", "a", "2"), node("2", "", "2")], undefined);
  check([node("1", "a", "0")], undefined);
});
