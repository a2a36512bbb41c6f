import type {
  ExecAction,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
  TCPSocketAction,
} from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validatePortNumber, validatePortOrName } from "../ports.ts";

const schemes = ["HTTP", "HTTPS"];
const headerName = /^[-A-Za-z0-9!#$%&'*+.^_`|~]+$/;
const headerMessage =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

interface Handler {
  exec?: ExecAction;
  httpGet?: HTTPGetAction;
  tcpSocket?: TCPSocketAction;
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
}

/** One and only one way of asking or acting. `graceSeconds` bounds a sleep. */
function validateHandler(errors: FieldErrors, field: string, handler: Handler, graceSeconds: number | undefined): void {
  let count = 0;
  const isFirst = (name: string): boolean => {
    if (++count === 1) return true;
    errors.forbidden(`${field}.${name}`, "may not specify more than 1 handler type");
    return false;
  };
  if (handler.exec !== undefined && isFirst("exec") && (handler.exec.command ?? []).length === 0) {
    errors.required(`${field}.exec.command`);
  }
  if (handler.httpGet !== undefined && isFirst("httpGet")) validateHttpGet(errors, `${field}.httpGet`, handler.httpGet);
  if (handler.tcpSocket !== undefined && isFirst("tcpSocket")) {
    validatePortOrName(errors, `${field}.tcpSocket.port`, handler.tcpSocket.port);
  }
  if (handler.grpc !== undefined && isFirst("grpc"))
    validatePortNumber(errors, `${field}.grpc.port`, handler.grpc.port);
  if (handler.sleep !== undefined && isFirst("sleep")) {
    const { seconds } = handler.sleep;
    if (graceSeconds !== undefined && (seconds < 0 || seconds > graceSeconds)) {
      errors.invalid(
        `${field}.sleep`,
        seconds,
        `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`,
      );
    }
  }
  if (count === 0) errors.required(field, "must specify a handler type");
}

function validateHttpGet(errors: FieldErrors, field: string, action: HTTPGetAction): void {
  if (!action.path) errors.required(`${field}.path`);
  validatePortOrName(errors, `${field}.port`, action.port);
  if (!schemes.includes(action.scheme ?? "")) errors.notSupported(`${field}.scheme`, action.scheme ?? "", schemes);
  action.httpHeaders?.forEach((header) => {
    if (!headerName.test(header.name)) errors.invalid(`${field}.httpHeaders`, header.name, headerMessage);
  });
}

function validateProbe(errors: FieldErrors, field: string, probe: Probe | undefined): void {
  if (probe === undefined) return;
  validateHandler(errors, field, probe, undefined);
  errors.nonNegative(`${field}.initialDelaySeconds`, probe.initialDelaySeconds);
  errors.nonNegative(`${field}.timeoutSeconds`, probe.timeoutSeconds);
  errors.nonNegative(`${field}.periodSeconds`, probe.periodSeconds);
  errors.nonNegative(`${field}.successThreshold`, probe.successThreshold);
  errors.nonNegative(`${field}.failureThreshold`, probe.failureThreshold);
  if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0) {
    errors.invalid(
      `${field}.terminationGracePeriodSeconds`,
      probe.terminationGracePeriodSeconds,
      "must be greater than 0",
    );
  }
}

/** Probes whose failure kills cannot ask for several successes. */
export function validateKillingProbe(errors: FieldErrors, field: string, probe: Probe | undefined): void {
  validateProbe(errors, field, probe);
  if (probe?.successThreshold !== undefined && probe.successThreshold !== 1) {
    errors.invalid(`${field}.successThreshold`, probe.successThreshold, "must be 1");
  }
}

export function validateReadinessProbe(errors: FieldErrors, field: string, probe: Probe | undefined): void {
  validateProbe(errors, field, probe);
  if (probe?.terminationGracePeriodSeconds !== undefined) {
    errors.invalid(
      `${field}.terminationGracePeriodSeconds`,
      probe.terminationGracePeriodSeconds,
      "must not be set for readinessProbes",
    );
  }
}

export function validateLifecycle(
  errors: FieldErrors,
  field: string,
  lifecycle: Lifecycle | undefined,
  pod: { readonly graceSeconds: number; readonly osName: string | undefined },
): void {
  if (lifecycle === undefined) return;
  const check = (name: "postStart" | "preStop", handler: LifecycleHandler | undefined): void => {
    if (handler !== undefined) validateHandler(errors, `${field}.${name}`, handler, pod.graceSeconds);
  };
  check("postStart", lifecycle.postStart);
  check("preStop", lifecycle.preStop);
  if (lifecycle.stopSignal === undefined) return;
  if (pod.osName === undefined) {
    errors.forbidden(`${field}.stopSignal`, "may not be set for containers with empty `spec.os.name`");
  } else if (!/^SIG[A-Z0-9+-]+$/.test(lifecycle.stopSignal)) {
    errors.notSupported(`${field}.stopSignal`, lifecycle.stopSignal, [
      "SIGHUP",
      "SIGINT",
      "SIGKILL",
      "SIGQUIT",
      "SIGTERM",
      "SIGUSR1",
      "SIGUSR2",
    ]);
  }
}
