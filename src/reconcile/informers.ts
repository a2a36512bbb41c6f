import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { createInformer, type Informer, type InformerDeclaration } from "./informer.ts";

/** The informers of one process: loops that give the same declaration share one. */
export interface Informers {
  of<T, P>(declaration: InformerDeclaration<T, P>): Informer<P>;
  /** Stops and forgets the informer of a declaration that nobody needs any more. */
  drop<T, P>(declaration: InformerDeclaration<T, P>): void;
  /** The informer that sees every object of a resource, for gates; undefined when no loop watches all of it here. */
  whole(resource: Resource<unknown>): Informer<unknown> | undefined;
  /** Starts all that were asked for, and those that will be. */
  start(): void;
  stop(): void;
  synced(): Promise<void>;
}

export interface InformersOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

export function createInformers(options: InformersOptions): Informers {
  const byDeclaration = new Map<unknown, Informer<unknown>>();
  const wholes = new Map<string, Informer<unknown>>();
  let running = false;
  return {
    of<T, P>(declaration: InformerDeclaration<T, P>): Informer<P> {
      const known = byDeclaration.get(declaration);
      if (known !== undefined) return known as Informer<P>;
      const informer = createInformer<T, P>({ ...options, ...declaration });
      byDeclaration.set(declaration, informer);
      const isPartial =
        declaration.isElsewhere === true ||
        declaration.namespace !== undefined ||
        declaration.labelSelector !== undefined ||
        declaration.fieldSelector !== undefined;
      const id = idOf(declaration.resource);
      if (!isPartial && !wholes.has(id)) wholes.set(id, informer);
      if (running) informer.start();
      return informer;
    },
    drop(declaration) {
      const informer = byDeclaration.get(declaration);
      if (informer === undefined) return;
      informer.stop();
      byDeclaration.delete(declaration);
      const id = idOf(declaration.resource);
      if (wholes.get(id) === informer) wholes.delete(id);
    },
    whole: (resource) => wholes.get(idOf(resource)),
    start() {
      running = true;
      for (const informer of byDeclaration.values()) informer.start();
    },
    stop() {
      running = false;
      for (const informer of byDeclaration.values()) informer.stop();
    },
    async synced() {
      await Promise.all([...byDeclaration.values()].map((informer) => informer.synced()));
    },
  };
}

function idOf(resource: { readonly group: string; readonly resource: string }): string {
  return `${resource.group}/${resource.resource}`;
}
