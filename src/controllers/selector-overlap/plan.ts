import type { Resource } from "#api/resource.ts";
import type { Selector } from "#api/selectors.ts";
import type { Plan } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { aboutOf, referenceOf } from "../ownership.ts";

const namedMax = 5;

/** A workload with a selector and a template. */
export interface SelectingView extends ObjectView {
  readonly selector: Selector;
  readonly spec: {
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
}

export interface Selecting {
  /** `deployment`. */
  readonly kind: string;
  readonly view: SelectingView;
}

export function templateLabels(view: SelectingView): Readonly<Record<string, string>> {
  return view.spec.template?.metadata?.labels ?? {};
}

/**
 * Says that workloads want the same pods. Each keeps those that it made, nothing is taken from another; pods that nobody controls
 * go to whoever comes first. Pure.
 */
export function planSelectorOverlap(
  resource: Resource<unknown>,
  own: SelectingView,
  candidates: readonly Selecting[],
): Plan | undefined {
  if (own.deletionMs !== undefined) return undefined;
  const others = overlapping(own, candidates);
  if (others.length === 0) return undefined;
  const names = [...new Set(others.map(({ kind, view }) => `${kind}/${view.name}`))].sort();
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : "";
  const whose = `${names.slice(0, namedMax).join(", ")}${more}`;
  const message = `Its selector and that of ${whose} match the same pods: each keeps its own; pods without a controller go to either`;
  const about = aboutOf(resource, own);
  return {
    because: referenceOf(resource, own),
    actions: [{ verb: "event", about, type: "Warning", eventReason: "SelectorOverlap", message }],
  };
}

/** Who of them wants the same pods. */
export function overlapping(own: SelectingView, candidates: readonly Selecting[]): Selecting[] {
  return candidates.filter(({ view }) => view.uid !== own.uid && view.deletionMs === undefined && overlaps(own, view));
}

function overlaps(a: SelectingView, b: SelectingView): boolean {
  return a.selector.matches(templateLabels(b)) || b.selector.matches(templateLabels(a));
}
