import { ageColumn, column, nameColumn } from "../columns.ts";
import type { VolumeAttachment } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { isDns1123Subdomain } from "../validation/names.ts";
import { validateCsiDriverName } from "../validation/pod-spec/volume-sources.ts";

function validate(errors: FieldErrors, attachment: VolumeAttachment): void {
  const { attacher, nodeName, source } = attachment.spec;
  validateCsiDriverName(errors, "spec.attacher", attacher);
  errors.invalidEach("spec.nodeName", nodeName, isDns1123Subdomain(nodeName ?? ""));
  const inline = source?.inlineVolumeSpec !== undefined;
  const named = source?.persistentVolumeName !== undefined;
  if (inline && named)
    errors.forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
  else if (!inline && !named)
    errors.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
  else if (source?.persistentVolumeName === "")
    errors.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName");
}

export const volumeAttachmentRules: KindRules<VolumeAttachment> = {
  ...separateStatus<VolumeAttachment>(() => ({ attached: false })),
  validate: (attachment) => collect((errors) => validate(errors, attachment)),
  validateUpdate: (attachment, old, context) =>
    collect((errors) => {
      if (context.subresource !== "status" && !semanticallyEqual(attachment.spec, old.spec)) {
        errors.invalid("spec", attachment.spec, "field is immutable");
      }
    }),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Attacher", "attacher indicates the name of the volume driver that MUST handle this request."),
    column("PV", "persistentVolumeName represents the name of the persistent volume to attach."),
    column("Node", "nodeName represents the node that the volume should be attached to."),
    column("Attached", "attached indicates the volume is successfully attached.", "boolean"),
    ageColumn,
  ],
  cells: (attachment, now) => [
    attachment.metadata.name,
    attachment.spec.attacher,
    attachment.spec.source?.persistentVolumeName ?? "",
    attachment.spec.nodeName,
    attachment.status?.attached ?? false,
    ageOf(attachment.metadata.creationTimestamp, now),
  ],
};
