import type { Node, Taint } from "#api/generated/core-v1.ts";
import { type Amounts, amountsOf } from "./amounts.ts";
import type { Labels } from "#api/label-match.ts";

/** What the scheduler keeps of a node. */
export interface NodeView {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly allocatable: ReadonlyMap<string, number>;
  /** Size in bytes by image name. */
  readonly images: ReadonlyMap<string, number>;
  /** Everything above as text: equal texts mean that nothing here changed. */
  readonly fingerprint: string;
}

const noImages: ReadonlyMap<string, number> = new Map();

/** The name that names the same image in a pod: with a tag or digest. */
export function imageName(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") && !image.includes("@") ? `${image}:latest` : image;
}

export function nodeView(node: Node): NodeView {
  const labels = node.metadata.labels ?? {};
  const taints = node.spec.taints ?? [];
  const unschedulable = node.spec.unschedulable === true;
  const allocatable: Amounts = amountsOf(node.status.allocatable ?? node.status.capacity);
  const images = new Map<string, number>();
  for (const image of node.status.images ?? []) {
    for (const name of image.names ?? []) images.set(imageName(name), image.sizeBytes ?? 0);
  }
  const fingerprint = JSON.stringify([labels, taints, unschedulable, [...allocatable], [...images]]);
  return {
    name: node.metadata.name ?? "",
    labels,
    taints,
    unschedulable,
    allocatable,
    images: images.size === 0 ? noImages : images,
    fingerprint,
  };
}
