import type { TlsIdentity } from "#world/http.ts";

/** A kubeconfig with one cluster, one user and one context, all named `steersman`. JSON is YAML. */
export function renderKubeconfig(options: {
  readonly server: string;
  readonly caCertificate: string;
  readonly identity: TlsIdentity;
}): string {
  const user = {
    "client-certificate-data": btoa(options.identity.certificate),
    "client-key-data": btoa(options.identity.key),
  };
  const cluster = { server: options.server, "certificate-authority-data": btoa(options.caCertificate) };
  return `apiVersion: v1
kind: Config
current-context: steersman
clusters:
- name: steersman
  cluster: ${JSON.stringify(cluster)}
contexts:
- name: steersman
  context: {"cluster": "steersman", "user": "steersman"}
users:
- name: steersman
  user: ${JSON.stringify(user)}
`;
}
