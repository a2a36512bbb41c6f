import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { createCrypto } from "#world/node/crypto.ts";
import { credentialsFor } from "./credentials.ts";
import { writeImageArchive } from "./oci-archive.ts";
import { pullPolicyOf } from "./puller.ts";
import { isImageName, parseImage, type ImageReference } from "./reference.ts";
import { writeTar } from "./tar.ts";

test("names of images", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const cases: [string, ImageReference | undefined][] = [
    ["nginx", { host: undefined, path: "nginx" }],
    ["team/app:1.2", { host: undefined, path: "team/app" }],
    ["localhost/a", { host: "localhost", path: "a" }],
    ["registry.example.com:5000/a/b:1", { host: "registry.example.com:5000", path: "a/b" }],
    [`nginx@${digest}`, { host: undefined, path: "nginx" }],
    [`nginx:1@${digest}`, { host: undefined, path: "nginx" }],
    ["UPPER", undefined],
    ["a:b:c", undefined],
    ["nginx@sha256:abc", undefined],
    ["../etc", undefined],
    ["", undefined],
  ];
  for (const [name, expected] of cases) {
    assert.deepEqual(parseImage(name), expected, name);
    assert.equal(isImageName(name), expected !== undefined, name);
  }
  assert.ok(isImageName(digest));
});

test("when an image is pulled", () => {
  const cases: [string, string][] = [
    ["nginx", "Always"],
    ["nginx:latest", "Always"],
    ["nginx:1", "IfNotPresent"],
    ["host:5000/nginx", "Always"],
    [`nginx@sha256:${"a".repeat(64)}`, "IfNotPresent"],
  ];
  for (const [image, expected] of cases) assert.equal(pullPolicyOf({ image }), expected, image);
  assert.equal(pullPolicyOf({ image: "nginx", imagePullPolicy: "Never" }), "Never");
});

test("a pod's secrets open their own registries, the closest path first", () => {
  const secret = (auths: object) => ({ metadata: {}, data: { ".dockerconfigjson": btoa(JSON.stringify({ auths })) } });
  const users = (image: string, defaultRegistry?: string): string =>
    credentialsFor(
      image,
      [
        secret({
          "https://default.example.net/v1/": { auth: btoa("hub:a:b") },
          "*.example.com": { username: "any", password: "x" },
          "r.example.com/team": { username: "team", password: "x" },
        }),
        { metadata: {}, data: { ".dockerconfigjson": btoa("{") } },
      ],
      defaultRegistry,
    )
      .map(({ username, password }) => `${username}/${password}`)
      .join();
  assert.equal(users("nginx"), "");
  assert.equal(users("nginx", "default.example.net"), "hub/a:b");
  assert.equal(users("r.example.com/other", "default.example.net"), "any/x");
  assert.equal(users("r.example.com/team/app"), "team/x,any/x");
  assert.equal(users("r.example.com/other"), "any/x");
  assert.equal(users("example.com/app"), "");
});

test("archives are what tar reads, and the same each time", () => {
  const long = `${"deep/".repeat(30)}file`;
  const archive = writeTar([
    { path: "folder", mode: 0o700 },
    { path: "folder/file", content: new TextEncoder().encode("hello"), mode: 0o755, uid: 3 },
    { path: "link", symlink: "folder/file" },
    { path: long, content: new Uint8Array(513) },
  ]);
  const listed = execFileSync("tar", ["-tvf", "-", "--numeric-owner"], { input: archive, encoding: "utf8" })
    .trim()
    .split("\n");
  const lines = listed.map((line) => line.replace(/\s+/g, " ").replace(/ \d{4}-\d\d-\d\d \d\d:\d\d/, ""));
  assert.deepEqual(lines, [
    "drwx------ 0/0 0 folder/",
    "-rwxr-xr-x 3/0 5 folder/file",
    "lrwxrwxrwx 0/0 0 link -> folder/file",
    `-rw-r--r-- 0/0 513 ${long}`,
  ]);
  const crypto = createCrypto();
  const image = { name: "a.b/c:1", architecture: "amd64", files: [{ path: "f", content: Uint8Array.of(1) }] };
  assert.deepEqual(writeImageArchive(image, crypto), writeImageArchive(image, crypto));
});
