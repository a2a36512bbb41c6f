import type { ApiObject } from "#api/kind.ts";
import type { ToVersion } from "../apply/versions.ts";
import type { Registry, Served } from "../registry.ts";
import { inVersion, toStorage } from "./convert.ts";

type Plain = Record<string, unknown>;

/** The ways between one served version of a kind and its others. */
export interface OtherVersions {
  readonly toVersion: ToVersion;
  readonly fromVersion: (apiVersion: string, object: Plain) => Plain;
}

/** Undefined where there is only one version, or a webhook converts: the ownership of fields cannot wait for it. */
export function otherVersions(registry: Registry, served: Served): OtherVersions | undefined {
  if (served.kind.versions.length < 2 || served.custom?.conversion !== undefined) return undefined;
  const storage = registry.storageServed(served);
  const find = (apiVersion: string): Served | undefined => {
    const other = registry.find(apiVersion, served.resource.resource);
    return other?.prefix === served.prefix ? other : undefined;
  };
  return {
    toVersion: (apiVersion, object) => {
      const other = find(apiVersion);
      if (other === undefined) return undefined;
      return { schema: other.schema, object: inVersion(other, toStorage(served, storage, object as ApiObject)) };
    },
    fromVersion: (apiVersion, object) => {
      const other = find(apiVersion);
      return other === undefined ? object : inVersion(served, toStorage(other, storage, object as ApiObject));
    },
  };
}
