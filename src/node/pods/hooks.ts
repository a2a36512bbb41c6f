import type { Container, EphemeralContainer, LifecycleHandler } from "#api/generated/core-v1.ts";
import type { NodeContext } from "../context.ts";
import type { HookCaller } from "../probes/handlers.ts";

/** Runs a lifecycle hook; answers why it failed, undefined when it went well. Never rejects. `limitMs` undefined: no limit. */
export async function runHook(
  context: NodeContext,
  hooks: HookCaller,
  hook: LifecycleHandler,
  target: {
    readonly containerId: string;
    readonly container: Container | EphemeralContainer | undefined;
    readonly podIp: string;
    readonly limitMs: number | undefined;
  },
): Promise<string | undefined> {
  const limit = new AbortController();
  const timer =
    target.limitMs === undefined
      ? undefined
      : context.timers.after(target.limitMs, () => limit.abort(new Error("the hook took too long")));
  try {
    if (hook.sleep !== undefined) {
      await context.timers.sleep(hook.sleep.seconds * 1000, limit.signal);
      return undefined;
    }
    return await hooks.call(hook, target.containerId, target.container, target.podIp, limit.signal);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    timer?.cancel();
  }
}
