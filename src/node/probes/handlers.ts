import type { Container, EphemeralContainer, LifecycleHandler, ProbeHandler } from "#api/generated/core-v1.ts";
import { ContainerRuntimeError, type ContainerRuntime } from "#world/container-runtime.ts";
import { probeOutputBytesMax } from "../limits.ts";
import type { ProbeWire } from "#world/probe-wire.ts";

/** What a probe's handler found: `failure` says why in the words that Events show. */
export type ProbeOutcome = { readonly passed: true } | { readonly passed: false; readonly failure: string };

/** Calls lifecycle hooks: undefined when it went well, otherwise why not. */
export interface HookCaller {
  call(
    hook: LifecycleHandler,
    containerId: string,
    container: Container | EphemeralContainer | undefined,
    podIp: string,
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

export interface ProbeTarget {
  readonly containerId: string;
  readonly container: Container | EphemeralContainer | undefined;
  readonly podIp: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

/** Carries out one probe or hook. Never rejects. */
export class Handlers implements HookCaller {
  readonly #runtime: ContainerRuntime;
  readonly #wire: ProbeWire;

  constructor(runtime: ContainerRuntime, wire: ProbeWire) {
    this.#runtime = runtime;
    this.#wire = wire;
  }

  async probe(handler: ProbeHandler, target: ProbeTarget): Promise<ProbeOutcome> {
    try {
      if (handler.exec !== undefined) return await this.#exec(handler.exec.command ?? [], target);
      if (handler.httpGet !== undefined) return await this.#http(handler.httpGet, target);
      if (handler.tcpSocket !== undefined) {
        const port = portOf(handler.tcpSocket.port, target.container);
        await this.#wire.tcp(handler.tcpSocket.host || target.podIp, port, target.timeoutMs);
        return { passed: true };
      }
      if (handler.grpc === undefined) return { passed: false, failure: "the probe has no handler" };
      const serving = await this.#wire.grpcHealth(
        target.podIp,
        handler.grpc.port,
        handler.grpc.service ?? "",
        target.timeoutMs,
      );
      return serving === "SERVING"
        ? { passed: true }
        : { passed: false, failure: `service unhealthy (responded with "${serving}")` };
    } catch (error) {
      return { passed: false, failure: error instanceof Error ? error.message : String(error) };
    }
  }

  async call(
    hook: LifecycleHandler,
    containerId: string,
    container: Container | EphemeralContainer | undefined,
    podIp: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      if (hook.exec !== undefined) {
        const { exitCode, stderr } = await this.#runtime.execSync(containerId, hook.exec.command ?? [], 0, signal);
        return exitCode === 0 ? undefined : `command exited with ${exitCode}: ${textOf(stderr)}`;
      }
      if (hook.httpGet === undefined) return undefined;
      const outcome = await this.#http(hook.httpGet, { containerId, container, podIp, timeoutMs: 60_000 });
      return outcome.passed ? undefined : outcome.failure;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #exec(command: readonly string[], target: ProbeTarget): Promise<ProbeOutcome> {
    try {
      const result = await this.#runtime.execSync(
        target.containerId,
        command,
        Math.max(1, Math.ceil(target.timeoutMs / 1000)),
      );
      if (result.exitCode === 0) return { passed: true };
      return {
        passed: false,
        failure: `${textOf(result.stdout)}${textOf(result.stderr)}`.trim() || `command exited with ${result.exitCode}`,
      };
    } catch (error) {
      if (!(error instanceof ContainerRuntimeError)) throw error;
      const failure =
        error.code === "DeadlineExceeded" ? `command timed out after ${target.timeoutMs / 1000}s` : error.message;
      return { passed: false, failure };
    }
  }

  async #http(action: NonNullable<ProbeHandler["httpGet"]>, target: ProbeTarget): Promise<ProbeOutcome> {
    const answer = await this.#wire.http({
      scheme: action.scheme === "HTTPS" ? "https" : "http",
      host: action.host || target.podIp,
      port: portOf(action.port, target.container),
      path: action.path || "/",
      headers: action.httpHeaders ?? [],
      timeoutMs: target.timeoutMs,
      bodyBytesMax: probeOutputBytesMax,
    });
    if (answer.status >= 200 && answer.status < 400) return { passed: true };
    return { passed: false, failure: `HTTP probe failed with statuscode: ${answer.status}` };
  }
}

/** A port by number, digits or the name of one of the container's ports. */
export function portOf(port: number | string, container: Container | EphemeralContainer | undefined): number {
  if (typeof port === "number") return port;
  if (/^\d+$/.test(port)) return Number(port);
  const found = container?.ports?.find(({ name }) => name === port);
  if (found === undefined) throw new Error(`couldn't find port: ${port}`);
  return found.containerPort;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, probeOutputBytesMax));
}
