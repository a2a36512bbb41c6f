import { ageColumn, nameColumn } from "#api/columns.ts";
import { failure, notFound } from "#api/virtual-group.ts";
import { apiVersion, group, virtualKind, type Part } from "../group.ts";
import type { History } from "./history.ts";

/** The part of Prometheus' API that reads. */
const readable =
  /^\/api\/v1\/(query|query_range|query_exemplars|series|labels|label\/[^/]+\/values|metadata|targets|rules|alerts|status\/buildinfo)$/;

const encoder = new TextEncoder();
const theHistory = { kind: "History", apiVersion, metadata: { name: "prometheus" } };

/**
 * Prometheus' own API behind the API server's authentication and RBAC: below
 * `/apis/observability.steersman.dev/v1/histories/prometheus/proxy`, resource `histories/proxy`.
 */
export function historyPart(history: History): Part {
  return {
    kind: virtualKind(
      {
        resource: "histories",
        kind: "History",
        namespaced: false,
        subresources: [{ name: "proxy", kind: "History", verbs: ["create", "get"] }],
      },
      "history",
      [nameColumn, ageColumn],
      (object) => [object.metadata.name, "<unknown>"],
    ),
    answer: async (request) => {
      if (request.verb === "list") return { kind: "list", listKind: "HistoryList", items: [theHistory] };
      if (request.name !== "prometheus") return notFound(group, request.resource, request.name);
      if (request.subresource === "") return { kind: "object", object: theHistory };
      if (request.subresource !== "proxy" || !readable.test(request.rest))
        return failure(404, "NotFound", "this part of the history's API is not open");
      const query = request.query.toString();
      const target = `${request.rest}${query === "" ? "" : `?${query}`}`;
      const method = request.verb === "create" ? "POST" : "GET";
      const { status, contentType, text } = await history.send(method, target, request.body, request.contentType);
      return { kind: "bytes", status, contentType, body: encoder.encode(text) };
    },
  };
}
