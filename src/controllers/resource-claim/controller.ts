import { pods as podResource } from "#api/generated/resources.ts";
import type { Controller, Plan } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { isFinished, podDeclaration, type PodView } from "../views/pod.ts";
import { resourceClaimDeclaration, resourceClaimTemplateDeclaration } from "../views/resource-claim.ts";
import { planClaim } from "./plan-claim.ts";
import { planPodClaims } from "./plan-pod.ts";

const claimKey = "claim:";
const podKey = "pod:";

/** Makes resource claims from templates, and frees what nobody uses any more. */
export function createResourceClaimController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const pods = informers.of(podDeclaration);
  const claims = informers.of(resourceClaimDeclaration);
  const templates = informers.of(resourceClaimTemplateDeclaration);

  /** A pod that is not known here may have been made a moment ago: then the server is asked. */
  const mayRun = async (namespace: string, { name, uid }: { name: string; uid: string }): Promise<boolean> => {
    const view = pods.get(keyOf(namespace, name));
    if (view?.uid === uid) return !isOver(view);
    const current = await client.find(podResource, { namespace, name });
    return current?.metadata.uid === uid && !isOver(podDeclaration.project(current));
  };
  const judgeClaim = async (key: string): Promise<Plan | undefined> => {
    const claim = claims.get(key);
    if (claim === undefined) return undefined;
    const users = [...claim.reservedFor, ...(claim.controller?.kind === "Pod" ? [claim.controller] : [])];
    const running = new Set<string>();
    for (const user of users) if (await mayRun(claim.namespace, user)) running.add(user.uid);
    return planClaim({ claim, uses: ({ uid }) => running.has(uid) });
  };
  const judgePod = (key: string): Plan | undefined => {
    const pod = pods.get(key);
    if (pod === undefined || pod.deviceClaims.length === 0) return undefined;
    return planPodClaims({
      pod,
      owned: claims.by("owner", pod.uid),
      claimNamed: (name) => claims.get(keyOf(pod.namespace, name)),
      templateNamed: (name) => templates.get(keyOf(pod.namespace, name)),
    });
  };
  return createLoop(dependencies, {
    name: "resource-claim",
    eventSource: "resource_claim",
    needs: [pods, claims, templates],
    watch: (enqueue) => [
      pods.handle((key, old, current) => {
        const pod = current ?? old;
        if (pod === undefined || pod.deviceClaims.length === 0) return;
        enqueue(podKey + key);
        for (const claim of claimsOf(pod)) enqueue(claimKey + keyOf(pod.namespace, claim));
        for (const claim of claims.by("owner", pod.uid)) enqueue(claimKey + claim.key);
      }),
      claims.handle((key, old, current) => {
        enqueue(claimKey + key);
        const owner = (current ?? old)?.controller;
        if (owner?.kind === "Pod") enqueue(podKey + keyOf((current ?? old)?.namespace ?? "", owner.name));
      }),
      templates.handle((_key, old, current) => {
        if (current === undefined || old !== undefined) return;
        for (const pod of pods.by("namespace", current.namespace))
          if (pod.deviceClaims.some(({ templateName }) => templateName === current.name)) enqueue(podKey + pod.key);
      }),
    ],
    pass: (key) =>
      key.startsWith(claimKey) ? judgeClaim(key.slice(claimKey.length)) : judgePod(key.slice(podKey.length)),
  });
}

/** It needs its devices no more: it has ended, or is to go and never came to a node. */
function isOver(pod: PodView): boolean {
  return isFinished(pod) || (pod.deletionMs !== undefined && pod.node === "");
}

function claimsOf({ deviceClaims }: PodView): string[] {
  return deviceClaims.flatMap(({ claimName }) => (claimName === undefined ? [] : [claimName]));
}
