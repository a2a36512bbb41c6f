import { secrets } from "#api/generated/resources.ts";
import { getStored } from "../authorize/stored.ts";
import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Authentication } from "../authenticator.ts";
import type { ObjectReader } from "../object-reader.ts";
import { textFromBase64 } from "./base64.ts";
import { bootstrappersGroup, withAuthenticated } from "./groups.ts";

const tokenForm = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const extraGroupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/**
 * Checks a token with which a machine joins: `id.secret`, kept in the Secret `bootstrap-token-<id>` of kube-system
 * (Kubernetes: "Authenticating with Bootstrap Tokens"). Undefined when the token has another form.
 */
export function checkBootstrapToken(
  world: { readonly clock: Clock; readonly crypto: Crypto; readonly objects: ObjectReader },
  token: string,
): Authentication | undefined {
  const [, id, secret] = tokenForm.exec(token) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const invalid = (detail: string): Authentication => ({
    ok: false,
    reason: "invalid",
    detail: `bootstrap token ${id}: ${detail}`,
  });
  const stored = getStored(world.objects, secrets, "kube-system", `bootstrap-token-${id}`);
  if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) return invalid("does not exist");
  if (stored.type !== "bootstrap.kubernetes.io/token") return invalid("its Secret has another type");
  const field = (name: string): string => textFromBase64(stored.data?.[name] ?? "");
  const encoder = new TextEncoder();
  if (!world.crypto.equal(encoder.encode(field("token-secret")), encoder.encode(secret)))
    return invalid("wrong secret");
  if (field("token-id") !== id) return invalid("its Secret names another id");
  if (field("usage-bootstrap-authentication") !== "true") return invalid("not meant for authentication");
  const expiration = field("expiration");
  // An end that cannot be read is an end that has passed.
  if (expiration !== "" && !(world.clock.now() < Date.parse(expiration))) return invalid("expired");
  const extraGroups = field("auth-extra-groups")
    .split(",")
    .map((group) => group.trim())
    .filter((group) => group !== "");
  const odd = extraGroups.find((group) => !extraGroupForm.test(group));
  if (odd !== undefined) return invalid(`group ${JSON.stringify(odd)} is not allowed`);
  const groups = withAuthenticated([...new Set([bootstrappersGroup, ...extraGroups])]);
  return { ok: true, user: { name: `system:bootstrap:${id}`, uid: "", groups, extra: {} } };
}
