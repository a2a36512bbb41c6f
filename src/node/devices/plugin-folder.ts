/** Where plugins look for the node, as upstream documents it; pods name these folders in hostPath volumes. */
const kubeletFolder = "/var/lib/kubelet";
const shared = ["device-plugins", "plugins", "plugins_registry", "pod-resources"];

/**
 * Where a path of the node really is: several nodes may share a machine, so the folders in which plugins and the node meet are
 * the node's own. Other paths stay as they are. Pure.
 */
export function nodePathOf(path: string, pluginFolder: string | undefined): string {
  if (pluginFolder === undefined) return path;
  const found = shared.find((name) => `${path}/`.startsWith(`${kubeletFolder}/${name}/`));
  return found === undefined ? path : `${pluginFolder}${path.slice(kubeletFolder.length)}`;
}
