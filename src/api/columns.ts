import type { Column } from "./kind.ts";

/** Descriptions of the columns that nearly every kind has. */
const nameDescription =
  "Name must be unique within a namespace and is required when creating resources, although some resources may allow a client " +
  "to request the generation of an appropriate name automatically.";
const ageDescription =
  "CreationTimestamp is the server time when this object was created; it is represented in RFC 3339 form and is in UTC.";

export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: nameDescription,
  priority: 0,
};
export const ageColumn: Column = { name: "Age", type: "string", description: ageDescription, priority: 0 };

/** A column that is always shown. */
export function column(name: string, description: string, type: Column["type"] = "string"): Column {
  return { name, type, description, priority: 0 };
}

/** A column that only `-o wide` shows. */
export function wideColumn(name: string, description: string, type: Column["type"] = "string"): Column {
  return { name, type, description, priority: 1 };
}

/** The container columns of kinds with a pod template: names, images, selector, all wide. */
export const templateColumns: readonly Column[] = [
  wideColumn("Containers", "Names of each container in the template."),
  wideColumn("Images", "Images referenced by each container in the template."),
  wideColumn(
    "Selector",
    "Label selector for pods. Existing objects whose pods are selected by this will be the ones affected.",
  ),
];

/** Cells of the first two of `templateColumns`. */
export function templateCells(containers: readonly { name: string; image?: string }[] | undefined): [string, string] {
  const all = containers ?? [];
  return [all.map((container) => container.name).join(","), all.map((container) => container.image ?? "").join(",")];
}
