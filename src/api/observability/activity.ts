import type { ObjectMeta } from "../generated/meta-v1.ts";

/** When a Service was last asked through the ingress of any node. */
export interface ServiceActivity {
  readonly metadata: ObjectMeta;
  /** Seconds since the last request, of the node where it is the least; missing: no Ingress leads here. */
  readonly quietSeconds?: number;
  /** Nodes whose ingress counted. */
  readonly nodes: number;
  /** Nodes that do not tell; what the others say is not the whole then. */
  readonly missingNodes: readonly string[];
  /** Nodes that have been silent for so long that they count as gone: nobody waits for what they know. */
  readonly lostNodes: readonly string[];
}

/** What an agent's `/stats/ingress` answers: seconds without a request, by `namespace/service`, of all that routes lead to. */
export interface IngressActivity {
  readonly quietSeconds: Readonly<Record<string, number>>;
}
