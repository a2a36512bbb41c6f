import type { Pod } from "#api/generated/core-v1.ts";
import { nodes as nodeResource, pods as podResource } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { askExtenders, type Extended, type Extender } from "./extender.ts";
import type { Candidate } from "./placement.ts";
import type { PodView } from "./pod-view.ts";

/** Asks extenders about pods: they want whole objects, which the scheduler does not keep. Never rejects. */
export class Extending {
  readonly #client: Client;
  readonly #extenders: readonly Extender[];

  constructor(client: Client, extenders: readonly Extender[]) {
    this.#client = client;
    this.#extenders = extenders;
  }

  get isOn(): boolean {
    return this.#extenders.length > 0;
  }

  /** What the extenders that this pod concerns leave of the candidates. */
  async judge(pod: PodView, candidates: readonly Candidate[]): Promise<Extended> {
    const found = await this.#whole(pod);
    if (typeof found === "string") return { kind: "failed", message: found };
    const asked = this.#extenders.filter((extender) => extender.isInterestedIn(found));
    if (asked.length === 0) return { kind: "chosen", candidates };
    const wantsNodes = asked.some(({ settings }) => !settings.nodeCacheCapable);
    try {
      const nodes = wantsNodes ? (await this.#client.list(nodeResource)).items : [];
      return await askExtenders(asked, found, candidates, nodes);
    } catch (error) {
      return { kind: "failed", message: `the nodes for the extenders cannot be read: ${String(error)}` };
    }
  }

  /** Binds a pod by the extender that wants to; undefined when none does. */
  async bind(pod: PodView, node: string): Promise<{ readonly problem: string | undefined } | undefined> {
    if (!this.#extenders.some(({ settings }) => settings.bindVerb !== undefined)) return undefined;
    const found = await this.#whole(pod);
    if (typeof found === "string") return { problem: found };
    const binder = this.#extenders.find((one) => one.settings.bindVerb !== undefined && one.isInterestedIn(found));
    return binder === undefined ? undefined : { problem: await binder.bind(found, node) };
  }

  /** Those of the victims that all extenders whom the pod concerns want to go; undefined when one says that it would not help. */
  async victims(pod: PodView, node: string, victims: readonly PodView[]): Promise<readonly PodView[] | undefined> {
    if (!this.#extenders.some(({ settings }) => settings.preemptVerb !== undefined)) return victims;
    const found = await this.#whole(pod);
    if (typeof found === "string") return undefined;
    const wholes = (await Promise.all(victims.map((one) => this.#whole(one)))).filter((one) => typeof one !== "string");
    let left = wholes;
    for (const extender of this.#extenders) {
      if (!extender.isInterestedIn(found)) continue;
      const uids = await extender.preempt(found, node, left);
      if (uids === undefined) return undefined;
      left = left.filter(({ metadata }) => uids.has(metadata.uid ?? ""));
    }
    return victims.filter(({ uid }) => left.some(({ metadata }) => metadata.uid === uid));
  }

  async #whole(pod: PodView): Promise<Pod | string> {
    try {
      const found = await this.#client.find(podResource, pod);
      return found === undefined || found.metadata.uid !== pod.uid ? "the pod is gone" : found;
    } catch (error) {
      return `the pod cannot be read for the extenders: ${String(error)}`;
    }
  }
}
