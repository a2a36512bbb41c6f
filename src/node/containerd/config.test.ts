import assert from "node:assert/strict";
import { test } from "node:test";
import { renderContainerdConfig, renderRegistryHosts } from "./config.ts";

const paths = {
  rootDir: "/d/root",
  stateDir: "/run/d",
  socketPath: "/run/d/c.sock",
  cniConfigDir: "/d/cni",
  cniBinDir: "/usr/lib/cni",
  registryConfigDir: "/d/registries",
};
const options = { paths, sandboxImage: "pause", restrictOomScore: true, snapshotter: "overlayfs" as const };

test("names cannot break out of the configuration", () => {
  const text = renderContainerdConfig({ ...options, paths: { ...paths, rootDir: '/d"\n[evil]' } });
  assert.ok(text.includes('root = "/d\\"\\n[evil]"'));
  assert.ok(!/^\[evil\]/m.test(text));
  assert.throws(
    () => renderContainerdConfig({ ...options, paths: { ...paths, socketPath: `/${"x".repeat(120)}` } }),
    /longer than 100 bytes/,
  );
  assert.equal(
    renderRegistryHosts({ server: "https://r", mirrors: [{ url: "http://m:5000", skipVerify: true }] }),
    'server = "https://r"\n\n[host."http://m:5000"]\ncapabilities = ["pull", "resolve"]\nskip_verify = true\n',
  );
});
