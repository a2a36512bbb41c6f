import { column, nameColumn } from "../columns.ts";
import type { ComponentStatus } from "../generated/core-v1.ts";
import type { KindRules } from "../kind.ts";

export const componentStatusRules: KindRules<ComponentStatus> = {
  deprecation: "v1 ComponentStatus is deprecated in v1.19+",
  columns: [
    nameColumn,
    column("Status", "Status of the component conditions"),
    column("Message", "Message of the component conditions"),
    column("Error", "Error of the component conditions"),
  ],
  cells(component) {
    const healthy = component.conditions?.find((condition) => condition.type === "Healthy");
    const status = healthy === undefined ? "Unknown" : healthy.status === "True" ? "Healthy" : "Unhealthy";
    return [component.metadata.name, status, healthy?.message ?? "", healthy?.error ?? ""];
  },
};
