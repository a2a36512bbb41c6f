import type { PlainDocument } from "#apiserver/call.ts";
import { serviceDeclaration, sliceDeclaration } from "#controllers/views/network.ts";
import { nodeDeclaration } from "#controllers/views/node.ts";
import { podDeclaration } from "#controllers/views/pod.ts";
import {
  endpointTargets,
  nodeTargets,
  podTargets,
  type TargetGroup,
  type TargetService,
} from "#observability/history/targets.ts";
import type { Informers } from "#reconcile/informers.ts";

/** What a Prometheus without Kubernetes discovery asks for instead: `/metrics/targets/ROLE`, in the form of its HTTP discovery. */
export function targetDocuments(informers: () => Informers): readonly [string, PlainDocument][] {
  const document = (role: string, groups: () => readonly TargetGroup[]): [string, PlainDocument] => [
    `/metrics/targets/${role}`,
    { contentType: "application/json", content: () => JSON.stringify(groups()) },
  ];
  return [
    document("pod", () => podTargets(informers().of(podDeclaration).list())),
    document("node", () => nodeTargets(informers().of(nodeDeclaration).list())),
    document("endpointslice", () => endpointTargets(services(informers()))),
  ];
}

function* services(informers: Informers): Iterable<TargetService> {
  const slices = informers.of(sliceDeclaration);
  for (const service of informers.of(serviceDeclaration).list()) {
    const endpoints = slices.by("service", service.key).flatMap(({ slice }) =>
      slice.endpoints.flatMap(({ addresses, conditions, targetRef, nodeName }) => {
        const [address] = addresses;
        if (address === undefined || conditions?.ready === false) return [];
        const pod = targetRef?.kind === "Pod" ? (targetRef.name ?? "") : "";
        return (slice.ports ?? []).flatMap(({ port, name }) =>
          port === undefined ? [] : [{ address, port, portName: name ?? "", pod, node: nodeName ?? "" }],
        );
      }),
    );
    yield { namespace: service.namespace, name: service.name, annotations: service.annotations, endpoints };
  }
}
