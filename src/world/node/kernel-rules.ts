import type { Processes, ProcessResult } from "../processes.ts";
import {
  KernelRulesError,
  type ConnectionFilter,
  type HeldElement,
  type KernelRules,
  type RuleChain,
  type RuleChange,
  type RuleTable,
} from "../kernel-rules.ts";

/** Elements of one `add element` statement: nft parses a statement as a whole. */
const elementsPerStatement = 2_000;
const commandTimeoutMs = 60_000;
const outputBytesMax = 64 << 20;

/** What may stand in the batch: never a quote, a newline or a brace beside those that we write. */
const namePattern = /^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/;
const keyPattern = /^[a-z0-9./_ -]{1,200}$/;
const textPattern = /^[^\n\r\\#;$\0]{1,1000}$/;

export interface NftablesOptions {
  readonly processes: Processes;
  /** Path of a network namespace to work in; default: our own. */
  readonly networkNamespace?: string;
}

/** nftables by its command (`nft -f -`: one batch is one transaction) and `conntrack` of Debian. */
export function nftablesRules(options: NftablesOptions): KernelRules {
  const enter = options.networkNamespace === undefined ? [] : ["nsenter", `--net=${options.networkNamespace}`];
  const run = (command: readonly string[], input?: string): Promise<ProcessResult> => {
    const [program = "", ...args] = [...enter, ...command];
    return options.processes.run(program, args, {
      ...(input === undefined ? {} : { input }),
      timeoutMs: commandTimeoutMs,
      outputBytesMax,
    });
  };
  const batch = async (lines: readonly string[]): Promise<void> => {
    const result = await run(["nft", "-f", "-"], `${lines.join("\n")}\n`);
    if (result.code !== 0) {
      const told = result.timedOut ? "it did not end in time" : result.stderr.slice(0, 2_000);
      throw new KernelRulesError(`Cannot change the packet rules: ${told}`);
    }
  };
  return {
    replaceTable: (table) => batch(tableLines(table)),
    change: (change) => batch(changeLines(change)),
    removeTable: async (name) => {
      checked(name, namePattern);
      await batch([`add table ip ${name}`, `delete table ip ${name}`]);
    },
    readElements: async (table, set) => {
      const result = await run([
        "nft",
        "-j",
        "list",
        "map",
        "ip",
        checked(table, namePattern),
        checked(set, namePattern),
      ]);
      return result.code === 0 ? elementsOf(result.stdout) : undefined;
    },
    forgetConnections: async (filters) => {
      for (const filter of filters) await run(conntrackArguments(filter));
    },
  };
}

/** The batch that replaces a table. Exported for tests. */
function tableLines(table: RuleTable): string[] {
  const name = checked(table.name, namePattern);
  // Deleting what may not be there is an error, adding what is there is none: hence add, delete, add.
  const lines = [`add table ip ${name}`, `delete table ip ${name}`, `add table ip ${name}`];
  for (const set of table.sets) {
    const kind = set.map ? "map" : "set";
    lines.push(`add ${kind} ip ${name} ${checked(set.name, namePattern)} { ${semicolons(set.definition)}; }`);
  }
  lines.push(...chainLines(name, table.chains));
  for (const set of table.sets) {
    const elements = [...set.elements].map(([key, value]) => ({ key, value }));
    pushElements(lines, `add element ip ${name} ${set.name}`, elements);
  }
  return lines;
}

/** The batch of one change. Exported for tests. */
function changeLines(change: RuleChange): string[] {
  const name = checked(change.table, namePattern);
  const lines = chainLines(name, change.addChains);
  for (const [set, elements] of bySet(change.removeElements.map(({ set, key }) => ({ set, key, value: "" })))) {
    pushElements(lines, `delete element ip ${name} ${checked(set, namePattern)}`, elements);
  }
  for (const [set, elements] of bySet(change.addElements)) {
    pushElements(lines, `add element ip ${name} ${checked(set, namePattern)}`, elements);
  }
  return lines;
}

function chainLines(table: string, chains: readonly RuleChain[]): string[] {
  const lines: string[] = [];
  for (const { name, hook } of chains) {
    const type =
      hook === undefined ? "" : ` { type ${hook.type} hook ${hook.at} priority ${hook.priority}; policy accept; }`;
    lines.push(`add chain ip ${table} ${checked(name, namePattern)}${type}`);
  }
  for (const { name, rules } of chains) {
    for (const rule of rules) lines.push(`add rule ip ${table} ${name} ${checked(rule, textPattern)}`);
  }
  return lines;
}

function bySet<T extends { readonly set: string }>(changes: readonly T[]): Map<string, T[]> {
  return Map.groupBy(changes, ({ set }) => set);
}

function pushElements(lines: string[], statement: string, elements: readonly { key: string; value: string }[]): void {
  for (let from = 0; from < elements.length; from += elementsPerStatement) {
    const texts = elements.slice(from, from + elementsPerStatement).map(({ key, value }) => {
      checked(key, keyPattern);
      return value === "" ? key : `${key} : ${checked(value, keyPattern)}`;
    });
    lines.push(`${statement} { ${texts.join(", ")} }`);
  }
}

/** Definitions list their parts with semicolons: each part is checked on its own. */
function semicolons(definition: string): string {
  for (const part of definition.split(";")) checked(part, textPattern);
  return definition;
}

function checked(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw new Error(`Cannot write ${JSON.stringify(text)} into a packet rule`);
  return text;
}

function conntrackArguments(filter: ConnectionFilter): string[] {
  const args = ["conntrack", "-D", "-p", filter.protocol];
  if (filter.originalAddress !== undefined) args.push("--orig-dst", filter.originalAddress);
  if (filter.originalPort !== undefined) args.push("--orig-port-dst", String(filter.originalPort));
  if (filter.translatedAddress !== undefined) args.push("--dst-nat", filter.translatedAddress);
  return args;
}

function elementsOf(json: string): Map<string, HeldElement> {
  const found = new Map<string, HeldElement>();
  const listing = JSON.parse(json) as { nftables: { map?: { elem?: unknown[] } }[] };
  for (const { map } of listing.nftables) {
    for (const element of map?.elem ?? []) {
      const [key, value] = Array.isArray(element) ? (element as [unknown, unknown]) : [element, ""];
      const expires = expiresOf(key);
      found.set(elementText(key), {
        value: elementText(value),
        ...(expires === undefined ? {} : { expiresSeconds: expires }),
      });
    }
  }
  return found;
}

function expiresOf(key: unknown): number | undefined {
  if (typeof key !== "object" || key === null || !("elem" in key)) return undefined;
  const { expires } = key.elem as { expires?: unknown };
  return typeof expires === "number" ? expires : undefined;
}

function elementText(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if ("concat" in value) return (value.concat as unknown[]).map(elementText).join(" . ");
  if ("elem" in value) return elementText((value.elem as { val: unknown }).val);
  return JSON.stringify(value);
}
