import { ageColumn, nameColumn } from "#api/columns.ts";
import type { VirtualAnswer, VirtualGroup } from "#api/virtual-group.ts";
import { HistoryError, type History } from "./history.ts";

const group = "observability.steersman.dev";
const version = "v1";
/** The part of Prometheus' API that reads. */
const readable =
  /^\/api\/v1\/(query|query_range|query_exemplars|series|labels|label\/[^/]+\/values|metadata|targets|rules|alerts|status\/buildinfo)$/;

/**
 * Prometheus' own API behind the API server's authentication and RBAC: below
 * `/apis/observability.steersman.dev/v1/histories/prometheus/proxy`, resource `histories/proxy`.
 */
export function createHistoryGroup(history: History): VirtualGroup {
  return {
    group,
    version,
    kinds: [
      {
        resource: {
          group,
          version,
          resource: "histories",
          kind: "History",
          namespaced: false,
          shortNames: [],
          categories: [],
          verbs: ["get", "list"],
          subresources: [{ name: "proxy", kind: "History", verbs: ["create", "get"] }],
          type: "",
        },
        singular: "history",
        columns: [nameColumn, ageColumn],
        cells: (object) => [object.metadata.name, "<unknown>"],
      },
    ],
    answer: async (request) => {
      if (request.resource !== "histories")
        return failure(404, "NotFound", "the server could not find the requested resource");
      if (request.verb === "list") return { kind: "list", listKind: "HistoryList", items: [theHistory] };
      if (request.name !== "prometheus")
        return failure(404, "NotFound", `histories.${group} "${request.name}" not found`);
      if (request.subresource === "") return { kind: "object", object: theHistory };
      if (request.subresource !== "proxy" || !readable.test(request.rest)) {
        return failure(404, "NotFound", "this part of the history's API is not open");
      }
      try {
        const query = request.query.toString();
        const target = `${request.rest}${query === "" ? "" : `?${query}`}`;
        const method = request.verb === "create" ? "POST" : "GET";
        const { status, contentType, text } = await history.send(method, target, request.body, request.contentType);
        return { kind: "bytes", status, contentType, body: encoder.encode(text) };
      } catch (error) {
        if (error instanceof HistoryError) return failure(503, "ServiceUnavailable", error.message);
        throw error;
      }
    },
  };
}

const encoder = new TextEncoder();
const theHistory = { kind: "History", apiVersion: `${group}/${version}`, metadata: { name: "prometheus" } };

function failure(code: number, reason: string, message: string): VirtualAnswer {
  return { kind: "failure", code, reason, message };
}
