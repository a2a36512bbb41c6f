import { ageColumn, column, nameColumn } from "../columns.ts";
import type { PriorityLevelConfiguration } from "../generated/flowcontrol-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

const queuesMax = 10_000_000;

function validateQueuing(errors: FieldErrors, level: PriorityLevelConfiguration): void {
  const response = level.spec.limited?.limitResponse;
  const field = "spec.limited.limitResponse";
  if (response?.type === "Reject") {
    if (response.queuing !== undefined)
      errors.forbidden(`${field}.queuing`, "must be nil if limited.limitResponse.type is not Limited");
    return;
  }
  if (response?.type !== "Queue") {
    errors.notSupported(`${field}.type`, response?.type ?? "", ["Queue", "Reject"]);
    return;
  }
  if (response.queuing === undefined) {
    errors.required(`${field}.queuing`, "must not be empty if limited.limitResponse.type is Limited");
    return;
  }
  const { queues, handSize, queueLengthLimit } = response.queuing;
  if (queueLengthLimit <= 0) errors.invalid(`${field}.queuing.queueLengthLimit`, queueLengthLimit, "must be positive");
  if (queues <= 0) errors.invalid(`${field}.queuing.queues`, queues, "must be positive");
  else if (queues > queuesMax)
    errors.invalid(`${field}.queuing.queues`, queues, `must not be greater than ${queuesMax}`);
  if (handSize <= 0) errors.invalid(`${field}.queuing.handSize`, handSize, "must be positive");
  else if (handSize > queues)
    errors.invalid(`${field}.queuing.handSize`, handSize, `should not be greater than queues (${queues})`);
}

function validate(errors: FieldErrors, level: PriorityLevelConfiguration): void {
  const { type, limited, exempt } = level.spec;
  if ((level.metadata.name === "exempt") !== (type === "Exempt")) {
    errors.invalid("spec.type", type, "type must be 'Exempt' if and only if `metadata.name` is 'exempt'");
  }
  switch (type) {
    case "Exempt":
      if (limited !== undefined) errors.forbidden("spec.limited", "must be nil if the type is not Limited");
      errors.nonNegative("spec.exempt.nominalConcurrencyShares", exempt?.nominalConcurrencyShares);
      break;
    case "Limited":
      if (exempt !== undefined) errors.forbidden("spec.exempt", "must be nil if the type is Limited");
      if (limited === undefined) {
        errors.required("spec.limited", "must not be empty when type is Limited");
        break;
      }
      errors.nonNegative("spec.limited.nominalConcurrencyShares", limited.nominalConcurrencyShares);
      validateQueuing(errors, level);
      if (limited.lendablePercent !== undefined && (limited.lendablePercent < 0 || limited.lendablePercent > 100)) {
        errors.invalid("spec.limited.lendablePercent", limited.lendablePercent, "must be between 0 and 100, inclusive");
      }
      errors.nonNegative("spec.limited.borrowingLimitPercent", limited.borrowingLimitPercent);
      break;
    default:
      errors.notSupported("spec.type", type ?? "", ["Exempt", "Limited"]);
  }
}

export const priorityLevelConfigurationRules: KindRules<PriorityLevelConfiguration> = {
  ...separateStatus<PriorityLevelConfiguration>(() => ({})),
  defaults({ spec }) {
    if (spec.type === "Exempt") {
      spec.exempt ??= {};
      spec.exempt.nominalConcurrencyShares ??= 0;
      spec.exempt.lendablePercent ??= 0;
    }
    if (spec.limited === undefined) return;
    spec.limited.nominalConcurrencyShares ??= 30;
    spec.limited.lendablePercent ??= 0;
    const queuing = spec.limited.limitResponse?.queuing;
    if (queuing === undefined) return;
    queuing.handSize ||= 8;
    queuing.queues ||= 64;
    queuing.queueLengthLimit ||= 50;
  },
  validate: (level) => collect((errors) => validate(errors, level)),
  columns: [
    nameColumn,
    column("Type", "type indicates whether this priority level is subject to limitation on request execution."),
    column("NominalConcurrencyShares", "The concurrency shares of this priority level."),
    column("Queues", "The number of queues for this priority level."),
    column("HandSize", "Shuffle sharding: how many queues one flow may use."),
    column(
      "QueueLengthLimit",
      "The maximum number of requests allowed to be waiting in a given queue of this priority level.",
    ),
    ageColumn,
  ],
  cells(level, now) {
    const queuing = level.spec.limited?.limitResponse?.queuing;
    const shares = level.spec.limited?.nominalConcurrencyShares ?? level.spec.exempt?.nominalConcurrencyShares;
    return [
      level.metadata.name,
      level.spec.type,
      shares ?? "<none>",
      queuing?.queues ?? "<none>",
      queuing?.handSize ?? "<none>",
      queuing?.queueLengthLimit ?? "<none>",
      ageOf(level.metadata.creationTimestamp, now),
    ];
  },
};
