import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "#api/kind.ts";
import type { ObjectReader } from "../object-reader.ts";
import { whyUnavailable } from "./unavailable.ts";

const service = { metadata: { namespace: "a", name: "s" }, spec: { ports: [{ name: "https", port: 443 }] } };
const slice = { metadata: { labels: { "kubernetes.io/service-name": "s" } }, ports: [{ name: "https", port: 8443 }] };

function check(reason: string, message: string, port: number, stored: Partial<typeof service>, slices: object[]): void {
  test(`${reason}: ${message}`, () => {
    const reader: Pick<ObjectReader, "get" | "list"> = {
      get: () => (stored.spec === undefined ? undefined : (stored as ApiObject)),
      list: () => slices as ApiObject[],
    };
    const verdict = whyUnavailable(reader, { namespace: "a", name: "s", port });
    assert.deepEqual(verdict, { available: false, reason, message });
  });
}

check("ServiceNotFound", 'service/s in "a" is not present', 443, {}, []);
check("ServicePortError", 'service/s in "a" is not listening on port 8443', 8443, service, [slice]);
check("EndpointsNotFound", 'cannot find endpointslices for service/s in "a"', 443, service, []);
check(
  "MissingEndpoints",
  'endpointslices for service/s in "a" have no addresses with port name "https"',
  443,
  service,
  [slice],
);
