import type { Pod } from "#api/generated/core-v1.ts";
import {
  ingressclasses,
  ingresses,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  volumeattachments,
} from "#api/generated/resources.ts";
import type { PolicyRule } from "#api/generated/rbac-v1.ts";
import type { Attributes, Decision, LocalAuthorizer } from "../authorizer.ts";
import type { ObjectReader } from "../object-reader.ts";
import { nodeNameOf } from "./node-identity.ts";
import { referencesOf, type PodReferences } from "./pod-references.ts";
import { compileRule, ruleAllows } from "./rule.ts";
import { witnessesMax } from "../limits.ts";
import { getStored, listStored } from "./stored.ts";

const noOpinion: Decision = { allowed: false, denied: false, reason: "" };
const allowed: Decision = { allowed: true, reason: "" };
const reading = new Set(["get", "list", "watch"]);

export interface NodeAuthorizerOptions {
  readonly objects: ObjectReader;
  /** What all nodes share: the rules of the role `system:node`. */
  readonly nodeRules: readonly PolicyRule[];
  /**
   * `spec.controller` of the IngressClasses that nodes serve themselves: then they may read the TLS Secrets of such
   * Ingresses, and no others of their namespaces. Absent: nodes serve no Ingress.
   */
  readonly ingressController?: string;
}

/**
 * What a node's agent may do: what its own pods need, its own objects, and the few things that all nodes share
 * (Kubernetes: "Using Node Authorization"). Whether a secret is needed is found by looking at the pods of its namespace
 * that are bound to the node, against head: a pod that was just bound counts, one that is gone does not.
 */
export function createNodeAuthorizer(options: NodeAuthorizerOptions): LocalAuthorizer {
  const rules = options.nodeRules.map(compileRule);
  const needs = new PodNeeds(options.objects, options.ingressController);

  function judge(node: string, wanted: Attributes): Decision {
    const special = judgeSpecial(node, wanted, needs, options.objects);
    if (special !== undefined) return special;
    return rules.some((rule) => ruleAllows(rule, wanted)) ? allowed : noOpinion;
  }

  return {
    authorize(wanted) {
      if (!wanted.isResource) return noOpinion;
      const node = nodeNameOf(wanted.user);
      if (node === undefined) return noOpinion;
      return node === "" ? refuse(`unknown node for user ${JSON.stringify(wanted.user.name)}`) : judge(node, wanted);
    },
    rulesFor(user) {
      // What a node may do follows from pods and cannot be written as rules.
      return { resourceRules: [], nonResourceRules: [], incomplete: nodeNameOf(user) !== undefined };
    },
  };
}

function refuse(reason: string): Decision {
  return { allowed: false, denied: false, reason };
}

/** Undefined: no special rule, the rules that all nodes share decide. */
function judgeSpecial(node: string, wanted: Attributes, needs: PodNeeds, objects: ObjectReader): Decision | undefined {
  switch (`${wanted.group}/${wanted.resource}`) {
    case "/secrets":
      return readOnly(node, wanted, () => needs.secret(node, wanted.namespace, wanted.name));
    case "/configmaps":
      return readOnly(node, wanted, () => needs.configMap(node, wanted.namespace, wanted.name));
    case "/persistentvolumeclaims":
      if (wanted.subresource !== "status" && wanted.verb !== "get")
        return refuse("can only read resources of this type");
      return related(node, wanted, () => needs.claim(node, wanted.namespace, wanted.name));
    case "/persistentvolumes":
      if (wanted.verb !== "get" || wanted.subresource !== "")
        return refuse("can only get individual resources of this type");
      return related(node, wanted, () => needs.volume(node, wanted.name));
    case "resource.k8s.io/resourceclaims":
      if (wanted.verb !== "get" || wanted.subresource !== "")
        return refuse("can only get individual resources of this type");
      return related(node, wanted, () => needs.resourceClaim(node, wanted.namespace, wanted.name));
    case "storage.k8s.io/volumeattachments":
      if (wanted.verb !== "get" || wanted.subresource !== "")
        return refuse("can only get individual resources of this type");
      return related(
        node,
        wanted,
        () => getStored(objects, volumeattachments, undefined, wanted.name)?.spec.nodeName === node,
      );
    case "/serviceaccounts":
      if (wanted.subresource !== "token" || wanted.verb !== "create") return noOpinion;
      return related(node, wanted, () => needs.account(node, wanted.namespace, wanted.name));
    case "/pods":
      return judgePods(node, wanted, objects);
    case "/nodes":
      return judgeNodes(node, wanted);
    case "coordination.k8s.io/leases":
      return judgeOwn(
        node,
        wanted,
        "kube-node-lease",
        "can only access node lease with the same name as the requesting node",
      );
    case "storage.k8s.io/csinodes":
      return judgeOwn(node, wanted, "", "can only access CSINode with the same name as the requesting node");
    default:
      return undefined;
  }
}

function readOnly(node: string, wanted: Attributes, isNeeded: () => boolean): Decision {
  if (!reading.has(wanted.verb) || wanted.subresource !== "") return refuse("can only read resources of this type");
  return related(node, wanted, isNeeded);
}

function related(node: string, wanted: Attributes, isNeeded: () => boolean): Decision {
  if (wanted.name === "") return refuse("No Object name found");
  return isNeeded() ? allowed : refuse(`no relationship found between node '${node}' and this object`);
}

/** A pod that is read must be its own; whether a pod may be written is for NodeRestriction to see. */
function judgePods(node: string, wanted: Attributes, objects: ObjectReader): Decision | undefined {
  if (wanted.verb === "get" && wanted.subresource === "") {
    const pod = getStored(objects, pods, wanted.namespace, wanted.name);
    // A pod that does not exist is no secret: the agent must learn that it is gone.
    const own = pod === undefined || pod.spec.nodeName === node;
    return own ? undefined : refuse(`no relationship found between node '${node}' and this object`);
  }
  if (wanted.verb !== "list" && wanted.verb !== "watch") return undefined;
  if (wanted.fieldRequirements === undefined || wanted.name !== "") return undefined;
  const narrowed = wanted.fieldRequirements.some(({ key, value }) => key === "spec.nodeName" && value === node);
  return narrowed ? undefined : refuse("can only list/watch pods with spec.nodeName field selector");
}

/** Its own Node; labels, taints and the like are NodeRestriction's. A list is one of itself. */
function judgeNodes(node: string, wanted: Attributes): Decision | undefined {
  const named = wanted.name === node;
  if (wanted.verb === "create" && wanted.name === "") return undefined;
  const lists = wanted.verb === "list" || wanted.verb === "watch";
  if (lists && wanted.name === "" && wanted.fieldRequirements === undefined) return undefined;
  if (named) return undefined;
  const verb = reading.has(wanted.verb) ? "read" : "change";
  const whom = wanted.name === "" ? "all nodes" : `'${wanted.name}'`;
  return refuse(`node '${node}' cannot ${verb} ${whom}, only its own Node object`);
}

function judgeOwn(node: string, wanted: Attributes, namespace: string, message: string): Decision {
  const verbs = new Set(["get", "create", "update", "patch", "delete"]);
  if (!verbs.has(wanted.verb) || wanted.subresource !== "")
    return refuse(`can only get, create, update, patch, or delete ${wanted.resource}`);
  if (wanted.namespace !== namespace) return refuse(`can only access leases in the "${namespace}" system namespace`);
  // A create names its object in its body, which NodeRestriction sees.
  if (wanted.name === node || (wanted.verb === "create" && wanted.name === "")) return allowed;
  return refuse(message);
}

/** What the pods bound to a node need. */
class PodNeeds {
  readonly #objects: ObjectReader;
  readonly #ingressController: string | undefined;
  readonly #references = new WeakMap<Pod, PodReferences>();
  /** Name of the pod that showed a need the last time: it is asked first, so that a node's usual questions cost one look. */
  readonly #witnesses = new Map<string, string>();

  constructor(objects: ObjectReader, ingressController: string | undefined) {
    this.#objects = objects;
    this.#ingressController = ingressController;
  }

  configMap(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, `configMaps/${name}`, (references) => references.configMaps.has(name));
  }

  resourceClaim(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, `resourceClaims/${name}`, (references) => references.resourceClaims.has(name));
  }

  claim(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, `claims/${name}`, (references) => references.claims.has(name));
  }

  account(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, `accounts/${name}`, (_, pod) => pod.spec.serviceAccountName === name);
  }

  /** Of the pods themselves, of the volumes behind their claims, or of the Ingresses that nodes serve. */
  secret(node: string, namespace: string, name: string): boolean {
    const ofPods = this.#some(node, namespace, `secrets/${name}`, (references) => references.secrets.has(name));
    return ofPods || this.#ingressSecret(namespace, name) || this.#volumeSecret(node, namespace, name);
  }

  #ingressSecret(namespace: string, name: string): boolean {
    if (this.#ingressController === undefined) return false;
    return listStored(this.#objects, ingresses, namespace).some(({ metadata, spec }) => {
      if (spec.tls?.some((tls) => tls.secretName === name) !== true) return false;
      const className = spec.ingressClassName ?? metadata.annotations?.["kubernetes.io/ingress.class"];
      if (className === undefined) return true;
      return (
        getStored(this.#objects, ingressclasses, undefined, className)?.spec.controller === this.#ingressController
      );
    });
  }

  volume(node: string, name: string): boolean {
    const claim = getStored(this.#objects, persistentvolumes, undefined, name)?.spec.claimRef;
    if (claim?.namespace === undefined || claim.name === undefined) return false;
    const bound = getStored(this.#objects, persistentvolumeclaims, claim.namespace, claim.name);
    return bound?.spec.volumeName === name && this.claim(node, claim.namespace, claim.name);
  }

  #volumeSecret(node: string, namespace: string, name: string): boolean {
    return listStored(this.#objects, persistentvolumes).some((volume) => {
      const { csi, cephfs, iscsi, flexVolume, rbd, scaleIO } = volume.spec;
      const references = [
        csi?.nodePublishSecretRef,
        csi?.nodeStageSecretRef,
        csi?.nodeExpandSecretRef,
        cephfs?.secretRef,
        iscsi?.secretRef,
        flexVolume?.secretRef,
        rbd?.secretRef,
        scaleIO?.secretRef,
      ];
      const names = references.some(
        (reference) => reference?.name === name && (reference.namespace ?? namespace) === namespace,
      );
      return names && this.volume(node, volume.metadata.name ?? "");
    });
  }

  #some(
    node: string,
    namespace: string,
    need: string,
    matches: (references: PodReferences, pod: Pod) => boolean,
  ): boolean {
    const shows = (pod: Pod): boolean => pod.spec.nodeName === node && matches(this.#referencesOf(pod), pod);
    const question = `${node}/${namespace}/${need}`;
    const witness = this.#witnesses.get(question);
    const known = witness === undefined ? undefined : getStored(this.#objects, pods, namespace, witness);
    if (known !== undefined && shows(known)) return true;
    const found = listStored(this.#objects, pods, namespace).find(shows);
    if (found === undefined) {
      this.#witnesses.delete(question);
      return false;
    }
    if (witnessesMax <= this.#witnesses.size) this.#witnesses.clear();
    this.#witnesses.set(question, found.metadata.name ?? "");
    return true;
  }

  #referencesOf(pod: Pod): PodReferences {
    let references = this.#references.get(pod);
    if (references === undefined) {
      references = referencesOf(pod);
      this.#references.set(pod, references);
    }
    return references;
  }
}
