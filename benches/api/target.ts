import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** Where the benches' clients send their requests, and as whom. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

const decoded = (text: string | undefined): string => Buffer.from(text ?? "", "base64").toString();

/** The first cluster and user of a kubeconfig, whose certificates stand in it. */
export function targetOf(kubeconfigPath: string): Target {
  const config = parse(readFileSync(kubeconfigPath, "utf8")) as Kubeconfig;
  const { cluster } = config.clusters[0]!;
  const { user } = config.users[0]!;
  const url = new URL(cluster["server"]!);
  return {
    host: url.hostname,
    port: Number(url.port),
    serverName: /^[0-9.]+$/.test(url.hostname) ? "kubernetes" : url.hostname,
    ca: decoded(cluster["certificate-authority-data"]),
    certificate: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
    ...(user["token"] !== undefined && { token: user["token"] }),
  };
}
