import type { Node } from "#api/generated/core-v1.ts";
import { nodes } from "#api/generated/resources.ts";
import { createInformer, type Informer } from "#reconcile/informer.ts";
import type { NodeContext } from "../context.ts";

const removeAnnotation = "steersman.dev/volumes-to-remove";
const removedAnnotation = "steersman.dev/volumes-removed";
/** What a controller may name; nothing that leads out of the folder. */
const volumeName = /^pvc-[0-9a-f-]{36}$/;

interface Asked {
  readonly remove: string;
  readonly removed: string;
}

/** Removes the folders of volumes that were deleted, as this node's own object asks, and says so there. */
export class VolumeFolderRemoval {
  readonly #context: NodeContext;
  readonly #node: Informer<Asked>;
  #busy = false;
  #again = false;

  constructor(context: NodeContext) {
    this.#context = context;
    const { client, clock, timers, random, onProblem, nodeName } = context;
    this.#node = createInformer<Node, Asked>({
      client,
      clock,
      timers,
      random,
      onProblem,
      resource: nodes,
      fieldSelector: `metadata.name=${nodeName}`,
      project: ({ metadata }) => ({
        remove: metadata.annotations?.[removeAnnotation] ?? "",
        removed: metadata.annotations?.[removedAnnotation] ?? "",
      }),
    });
  }

  start(): void {
    this.#node.handle((_key, _old, asked) => {
      if (asked !== undefined && asked.remove !== asked.removed) void this.#work();
    });
    this.#node.start();
  }

  stop(): void {
    this.#node.stop();
  }

  async #work(): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    do {
      this.#again = false;
      const asked = this.#node.get(this.#context.nodeName);
      if (asked !== undefined && asked.remove !== asked.removed) await this.#remove(asked.remove);
    } while (this.#again);
    this.#busy = false;
  }

  async #remove(list: string): Promise<void> {
    const { client, disk, settings, nodeName, onProblem } = this.#context;
    try {
      const names = list.split(",").filter((name) => volumeName.test(name));
      for (const name of names) await disk.remove(`${settings.dataDir}/volumes/${name}`);
      const annotations = { [removedAnnotation]: list === "" ? null : list };
      const rule = `the folders of ${names.length} deleted volumes are removed`;
      const cause = { actor: `node/${nodeName}`, rule };
      await client.patch(nodes, { name: nodeName }, { metadata: { annotations } }, { type: "merge", cause });
    } catch (error) {
      onProblem("cannot remove the folders of deleted volumes", error);
    }
  }
}
