import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "#api/generated/admissionregistration-v1.ts";
import { mutatingwebhookconfigurations, validatingwebhookconfigurations } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { decode } from "#codec/decode.ts";
import { stringifyJson } from "#codec/json.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../../admission.ts";
import { listStored } from "../../authorize/stored.ts";
import { toStorage } from "../../objects/convert.ts";
import { applyJsonPatch } from "../../patch/json-patch.ts";
import { whenAnswered } from "../policies/answers.ts";
import type { Steps } from "../../turns.ts";
import { allow } from "../request.ts";
import { ask, asking, failed, type Asked, type WebhookParts } from "./dispatch.ts";
import { isExempt } from "./match.ts";
import { shown } from "../../objects/shown.ts";

/** Asks the mutating webhooks one after the other, by the names of their configurations; each sees what the one before made. */
export function mutatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  return {
    name: "MutatingAdmissionWebhook",
    mutate(request) {
      const all = listStored<MutatingWebhookConfiguration>(parts.objects, mutatingwebhookconfigurations);
      if (all.length === 0 || isExempt(request)) return allow;
      return mutate(parts, request, all);
    },
  };
}

/** What the object looked like after a webhook of the first round had seen it, by configuration and name. */
const seenAfter = new WeakMap<AdmissionRequest, Map<string, string>>();

async function mutate(
  parts: WebhookParts,
  request: AdmissionRequest,
  configurations: readonly MutatingWebhookConfiguration[],
): Promise<Verdict> {
  let seen = seenAfter.get(request);
  if (seen === undefined) seenAfter.set(request, (seen = new Map()));
  for (const { metadata, webhooks = [] } of configurations) {
    for (const [index, webhook] of webhooks.entries()) {
      const id = `${metadata?.name ?? ""}/${index}/${webhook.name}`;
      if (request.isReinvocation === true && !isAskedAgain(webhook, seen.get(id), request)) continue;
      const asked = await whenAnswered(() => asking(parts, request, webhook), parts.timers);
      if (asked === undefined) continue;
      if ("allowed" in asked) return asked;
      const reply = await ask(parts, request, asked);
      if ("verdict" in reply) return reply.verdict;
      const { patch } = reply.answer;
      if (patch !== undefined && request.object !== undefined) {
        const before = stringifyJson(request.object);
        const problem = change(parts, request, asked, patch);
        if (problem !== undefined) return problem;
        // Steps that ran before have not seen this state: they get another turn.
        if (stringifyJson(request.object) !== before) request.wantsReinvocation = true;
      }
      if (webhook.reinvocationPolicy === "IfNeeded" && request.object !== undefined)
        seen.set(id, stringifyJson(request.object));
    }
  }
  return allow;
}

function isAskedAgain(webhook: MutatingWebhook, seen: string | undefined, request: AdmissionRequest): boolean {
  if (webhook.reinvocationPolicy !== "IfNeeded" || seen === undefined || request.object === undefined) return false;
  return stringifyJson(request.object) !== seen;
}

/** Applies a webhook's patch, with the defaults of what it brought; the end of the request when that is impossible. */
function change(parts: WebhookParts, request: AdmissionRequest, asked: Asked, patch: unknown): Verdict | undefined {
  const patched = applyJsonPatch(asked.object, patch);
  const refuse = (problem: string): Verdict | undefined => {
    const reply = failed(parts, request, asked.webhook, problem, "apiserver_internal_error");
    return "verdict" in reply ? reply.verdict : undefined;
  };
  if (!patched.ok) return refuse(patched.message);
  const registry = request.origin?.registry;
  const value = patched.value as ApiObject;
  const served =
    asked.object?.kind === asked.resource.kind
      ? registry?.find(apiVersionOf(asked.resource), asked.resource.resource)
      : registry?.findKind(shown(value.apiVersion), shown(value.kind));
  if (served === undefined || registry === undefined) {
    request.object = value;
    return undefined;
  }
  const decoded = decode(served.schema, value, { defaults: true });
  const [error] = decoded.errors;
  if (error !== undefined) return refuse(error.message);
  const object = decoded.object as ApiObject;
  if (typeof object.metadata !== "object") return refuse("the patched object has no metadata");
  const stored = toStorage(served, registry.storageServed(served), object);
  served.kind.rules.defaults?.(stored);
  request.object = stored;
  return undefined;
}

/** Asks all validating webhooks at once; the first refusal, in the order of their names, is the answer. */
export function validatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  return {
    name: "ValidatingAdmissionWebhook",
    validate(request) {
      const all = listStored<ValidatingWebhookConfiguration>(parts.objects, validatingwebhookconfigurations);
      if (all.length === 0 || isExempt(request)) return allow;
      const webhooks = all.flatMap((configuration) => configuration.webhooks ?? []);
      const asked = whenAnswered(() => allAsked(parts, request, webhooks), parts.timers);
      const go = (found: readonly Asked[] | Verdict): Verdict | Promise<Verdict> =>
        "allowed" in found ? found : found.length === 0 ? allow : validate(parts, request, found);
      return asked instanceof Promise ? asked.then(go) : go(asked);
    },
  };
}

/** The webhooks that are to be asked, or the end of the request. */
function* allAsked(
  parts: WebhookParts,
  request: AdmissionRequest,
  webhooks: readonly ValidatingWebhook[],
): Steps<readonly Asked[] | Verdict> {
  const asked: Asked[] = [];
  for (const webhook of webhooks) {
    const each = yield* asking(parts, request, webhook);
    if (each === undefined) continue;
    if ("allowed" in each) return each;
    asked.push(each);
  }
  return asked;
}

async function validate(parts: WebhookParts, request: AdmissionRequest, asked: readonly Asked[]): Promise<Verdict> {
  const replies = await Promise.all(asked.map((each) => ask(parts, request, each)));
  for (const reply of replies) if ("verdict" in reply) return reply.verdict;
  return allow;
}
