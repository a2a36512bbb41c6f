/** The machine's links, addresses and routes, as far as a node's pod network needs them. IPv4. Rejects with the tool's complaint. */
export interface NetworkLinks {
  /** Creates a bridge when missing and sets it up; frames between its ports pass the IPv4 packet rules. */
  ensureBridge(name: string): Promise<void>;
  /** Adds an address (`10.96.0.10/32`) to a link; already there is no error. */
  ensureAddress(link: string, address: string): Promise<void>;
  /** Removes an address; nothing to remove is no error. */
  removeAddress(link: string, address: string): Promise<void>;
  /** Removes a link; nothing to remove is no error. */
  removeLink(name: string): Promise<void>;
  /** The addresses of a link with their prefix lengths; undefined when there is no such link. */
  addresses(link: string): Promise<readonly string[] | undefined>;
  /** Names of the links that are ports of a bridge. */
  bridgePorts(bridge: string): Promise<readonly string[]>;
  /** Routes marked as ours (see `routeProtocol`). */
  routes(): Promise<readonly Route[]>;
  /** Removes and replaces routes; nothing to remove is no error. Those that can be replaced are, also when others cannot. */
  changeRoutes(change: { readonly remove: readonly Route[]; readonly replace: readonly Route[] }): Promise<void>;
  /** Sets a kernel setting, e.g. `net.ipv4.ip_forward`. */
  setKernelSetting(name: string, value: string): Promise<void>;
}

export interface Route {
  /** `10.244.1.0/24`. */
  readonly destination: string;
  readonly via?: string;
  readonly device?: string;
  /** Source address for connections of the node itself. */
  readonly source?: string;
}

/** Number that marks our routes in the kernel's table (rtnetlink's protocol field). */
export const routeProtocol = 171;
