/** What variables need of a Service. */
export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  /** `None` for a headless one. */
  readonly clusterIp: string;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

/** The variables that tell of Services: always the API's own, with links those of the namespace, as Docker links were written. */
export function serviceEnvironment(
  services: readonly ServiceView[],
  namespace: string,
  links: boolean,
): Map<string, string> {
  const variables = new Map<string, string>();
  const api = services.filter((service) => service.namespace === "default" && service.name === "kubernetes");
  const own = links ? services.filter((service) => service.namespace === namespace) : [];
  for (const service of [...api, ...own]) {
    const [first] = service.ports;
    if (service.clusterIp === "" || service.clusterIp === "None" || first === undefined) continue;
    const prefix = variableName(service.name);
    variables.set(`${prefix}_SERVICE_HOST`, service.clusterIp);
    variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const { name, port } of service.ports)
      if (name !== "") variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    const host = service.clusterIp.includes(":") ? `[${service.clusterIp}]` : service.clusterIp;
    variables.set(`${prefix}_PORT`, `${first.protocol.toLowerCase()}://${host}:${first.port}`);
    for (const { port, protocol } of service.ports) {
      const one = `${prefix}_PORT_${port}_${protocol}`;
      variables.set(one, `${protocol.toLowerCase()}://${host}:${port}`);
      variables.set(`${one}_PROTO`, protocol.toLowerCase());
      variables.set(`${one}_PORT`, String(port));
      variables.set(`${one}_ADDR`, service.clusterIp);
    }
  }
  return variables;
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
