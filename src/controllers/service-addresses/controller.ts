import { parseCidr, parseIpv4 } from "#base/cidr.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import {
  addressDeclaration,
  serviceDeclaration,
  serviceRangeDeclaration,
  type ServiceRangeView,
} from "../views/network.ts";
import { planAddress } from "./plan-address.ts";
import { planRange } from "./plan-range.ts";

/** Says of each address which Service has it. Keys are addresses. */
export function createServiceAddressController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const services = informers.of(serviceDeclaration);
  const addresses = informers.of(addressDeclaration);
  return createLoop(dependencies, {
    name: "service-address",
    needs: [services, addresses],
    watch: (enqueue) => [
      services.handle((_key, old, current) => {
        if (old?.clusterIp === current?.clusterIp) return;
        for (const view of [old, current]) if (isAddress(view?.clusterIp)) enqueue(view?.clusterIp ?? "");
      }),
      addresses.handle((key) => enqueue(key)),
    ],
    pass: (key) => planAddress(key, services.by("address", key)[0], addresses.get(key)),
  });
}

/** Keeps ranges of addresses as long as Services have addresses of them. */
export function createServiceRangeController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const ranges = informers.of(serviceRangeDeclaration);
  const addresses = informers.of(addressDeclaration);
  const left = (range: ServiceRangeView): number => {
    const others = ranges.list().filter(({ key, deletionMs }) => key !== range.key && deletionMs === undefined);
    const isOnlyHere = ({ name }: { readonly name: string }): boolean =>
      contains(range, name) && !others.some((other) => contains(other, name));
    return addresses.list().filter(isOnlyHere).length;
  };
  return createLoop(dependencies, {
    name: "service-range",
    eventSource: "service-cidr-controller",
    needs: [ranges, addresses],
    watch: (enqueue) => {
      const lookAtGoing = (): void => {
        for (const { key, deletionMs } of ranges.list()) if (deletionMs !== undefined) enqueue(key);
      };
      return [
        ranges.handle((key) => {
          enqueue(key);
          lookAtGoing();
        }),
        addresses.handle((_key, _old, current) => current === undefined && lookAtGoing()),
      ];
    },
    pass(key, { now }) {
      const range = ranges.get(key);
      return range === undefined ? undefined : planRange(range, () => left(range), now);
    },
  });
}

function isAddress(text: string | undefined): boolean {
  return text !== undefined && parseIpv4(text) !== undefined;
}

function contains({ cidrs }: ServiceRangeView, address: string): boolean {
  const number = parseIpv4(address);
  return cidrs.some((text) => {
    const cidr = parseCidr(text);
    return number !== undefined && cidr !== undefined && number >= cidr.first && number < cidr.first + cidr.size;
  });
}
