import { column, nameColumn } from "#api/columns.ts";
import type { ApiObject } from "#api/kind.ts";
import type { NodeUsers, RouteUsers, ServiceUsers } from "#api/observability/traffic.ts";
import type { VirtualAnswer } from "#api/virtual-group.ts";
import { isRecord } from "#codec/record.ts";
import { apiVersion, chosen, virtualKind, type Part } from "../group.ts";
import { sketchRegistersMax } from "../limits.ts";
import { serviceLabels } from "./families.ts";
import { askNodes, type NodesOptions } from "./nodes.ts";
import { distinctUsers, joinSketches } from "./sketch.ts";

/** How many users each Service has, over all nodes: their sketches are joined, so that whoever comes to two counts once. */
export function usersPart(options: NodesOptions): Part {
  return {
    kind,
    answer: async (request): Promise<VirtualAnswer> => {
      const { nodes, answers } = await askNodes(options, "/stats/users", readUsers);
      const told = {
        nodes: answers.size,
        missingNodes: nodes.flatMap(({ name }) => (answers.has(name) ? [] : [name])).toSorted(),
      };
      const all = joinUsers(
        [...answers.values()].flatMap(({ users }) => users),
        told,
      );
      const { verb, namespace, name } = request;
      const isNamed = verb === "get" && namespace !== "";
      // A Service that nobody asked has no users: that is the answer about it, not an error.
      if (isNamed && !all.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name))
        return { kind: "object", object: serviceUsers(namespace, name, [], told) };
      return chosen(request, "ServiceUsersList", all);
    },
  };
}

interface Route {
  readonly from: "ingress" | "pods";
  readonly ingress: string;
  readonly port: string;
  readonly version: string;
  registers: readonly number[];
}

/** The users of each Service, and of each way to it. */
function joinUsers(
  users: readonly RouteUsers[],
  told: Pick<ServiceUsers, "nodes" | "missingNodes">,
): (ApiObject & ServiceUsers)[] {
  const services = new Map<string, Map<string, Route>>();
  for (const { backend, ingress, version, registers } of users) {
    const { namespace, service, port, from } = serviceLabels(backend);
    const routes = services.get(`${namespace}/${service}`) ?? new Map<string, Route>();
    services.set(`${namespace}/${service}`, routes);
    const key = [from, ingress, port, version].join(" ");
    const known = routes.get(key);
    if (known !== undefined) known.registers = joinSketches(known.registers, registers);
    else routes.set(key, { from, ingress: ingress.slice(ingress.indexOf("/") + 1), port, version, registers });
  }
  return Array.from(services, ([key, routes]) => {
    const [namespace = "", name = ""] = key.split("/");
    return serviceUsers(namespace, name, [...routes.values()], told);
  });
}

function serviceUsers(
  namespace: string,
  name: string,
  routes: readonly Route[],
  told: Pick<ServiceUsers, "nodes" | "missingNodes">,
): ApiObject & ServiceUsers {
  return {
    apiVersion,
    kind: "ServiceUsers",
    metadata: { namespace, name },
    users: distinctUsers(routes.reduce<number[]>((all, { registers }) => joinSketches(all, registers), [])),
    routes: routes.map(({ from, ingress, port, version, registers }) => ({
      from,
      ...(ingress === "" ? {} : { ingress }),
      port,
      ...(version === "" ? {} : { version }),
      users: distinctUsers(registers),
    })),
    ...told,
  };
}

/** A node that talks nonsense does not tell. */
function readUsers(told: unknown): NodeUsers | undefined {
  const users = isRecord(told) ? told["users"] : undefined;
  return Array.isArray(users) && users.every(isSane) ? { users: users as RouteUsers[] } : undefined;
}

function isSane(one: unknown): boolean {
  if (!isRecord(one)) return false;
  const { ingress, backend, version, registers } = one;
  const isRank = (rank: unknown): boolean => Number.isInteger(rank) && 0 <= Number(rank) && Number(rank) <= 64;
  return (
    [ingress, backend, version].every((text) => typeof text === "string") &&
    Array.isArray(registers) &&
    registers.length <= sketchRegistersMax &&
    registers.every(isRank)
  );
}

const kind = virtualKind(
  { resource: "serviceusers", kind: "ServiceUsers", namespaced: true, subresources: [] },
  "serviceusers",
  [
    nameColumn,
    column("Users", "Distinct client addresses of the last five minutes, over all nodes; estimated.", "integer"),
    column("Nodes", "Nodes that told.", "integer"),
    column("Missing", "Nodes that do not tell.", "integer"),
  ],
  (object) => {
    const { users, nodes, missingNodes } = object as ApiObject & ServiceUsers;
    return [object.metadata.name, users, nodes, missingNodes.length];
  },
);
