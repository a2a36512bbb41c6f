import { acceptCacheMax } from "./limits.ts";

export type Media = "json" | "yaml" | "protobuf";

/** How an answer is to be written. */
export interface Representation {
  readonly media: Media;
  readonly as: "object" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** Of meta.k8s.io, for the transformed forms. */
  readonly version: string;
  /** Names the bytes in caches: everything that changes them. */
  readonly id: string;
}

export const jsonObject: Representation = { media: "json", as: "object", version: "", id: "json" };

const mediaTypes: Readonly<Record<string, Media>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
  "application/*": "json",
  "*/*": "json",
};

export const contentTypes: Readonly<Record<Media, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: "application/vnd.kubernetes.protobuf",
};

const cache = new Map<string, readonly Representation[]>();

/** All representations that an Accept header names and the server knows, the preferred first. */
export function accepted(accept: string | undefined): readonly Representation[] {
  const header = accept ?? "";
  if (header === "" || header === "application/json" || header === "*/*") return onlyJson;
  const known = cache.get(header);
  if (known !== undefined) return known;
  const read = readAccept(header);
  if (acceptCacheMax <= cache.size) cache.clear();
  cache.set(header, read);
  return read;
}

const onlyJson: readonly Representation[] = [jsonObject];

/** Whether an Accept-Encoding header asks for gzip; `gzip;q=0` refuses it. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined || header === "") return false;
  return header.split(",").some((clause) => {
    const [coding = "", ...parameters] = clause.split(";").map((part) => part.trim());
    if (coding.toLowerCase() !== "gzip") return false;
    const quality = parameters.map(splitParameter).find(([name]) => name === "q")?.[1];
    return quality === undefined || 0 < Number(quality);
  });
}

function readAccept(header: string): readonly Representation[] {
  const clauses: { representation: Representation; quality: number }[] = [];
  for (const clause of header.split(",")) {
    const [type = "", ...parameters] = clause.split(";").map((part) => part.trim());
    const media = mediaTypes[type.toLowerCase()];
    if (media === undefined) continue;
    const values = new Map(parameters.map((parameter) => splitParameter(parameter)));
    const representation = representationOf(media, values);
    if (representation === undefined) continue;
    const quality = Number(values.get("q") ?? "1");
    if (0 < quality) clauses.push({ representation, quality });
  }
  clauses.sort((left, right) => right.quality - left.quality);
  return clauses.map((clause) => clause.representation);
}

function splitParameter(text: string): [string, string] {
  const equals = text.indexOf("=");
  return equals === -1
    ? [text.toLowerCase(), ""]
    : [text.slice(0, equals).toLowerCase(), text.slice(equals + 1).replace(/^"|"$/g, "")];
}

function representationOf(media: Media, parameters: ReadonlyMap<string, string>): Representation | undefined {
  const as = parameters.get("as");
  if (as === undefined || as === "")
    return media === "json" ? jsonObject : { media, as: "object", version: "", id: media };
  const version = parameters.get("v") ?? "v1";
  if (as !== "Table" && as !== "PartialObjectMetadata" && as !== "PartialObjectMetadataList") return undefined;
  if (parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  return { media, as, version, id: `${media}/${as}/${version}` };
}
