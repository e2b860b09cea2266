// Fetches what one view needs. No state of its own: a newer load aborts the older one's signal.

import { annotate } from "../model/annotate";
import { decodePprof } from "../model/pprof";
import { defaultType } from "../model/profile_type";
import { parseMatchers, selectorOf, type Matcher } from "../model/selector";
import { groupsOf, largestFirst } from "../model/split";
import { preceding, resolve, stepFor, type Interval } from "../model/time_range";
import { makeNode, type Node } from "../model/tree";
import type { ViewState } from "../model/view_state";
import type { Series } from "../api/messages";
import type { Queries, Selection } from "../api/queries";

// A tree of one query, kept apart so that its pprof can be laid over it later.
export interface Part {
  selection: Selection;
  root: Node;
}

export interface Side {
  selection: Selection;
  root: Node;
  parts: Part[];
}

export interface Timeline {
  interval: Interval;
  stepMs: number;
  // One; one for each label value, largest first; or baseline and current of a diff of labels.
  series: Series[];
}

export interface PageData {
  type: string;
  interval: Interval;
  current: Side;
  // The other side of a diff, else null.
  base: Side | null;
  timeline: Timeline;
}

export interface Overview {
  services: Map<string, string[]>;
  // Sum and course of each service under the filter, for the type in view.
  courses: Map<string, number[]>;
  type: string;
  types: string[];
  labelNames: string[];
}

const NO_SERIES: Series = { labels: [], points: [] };
const TIMELINE_POINTS = 240;
const SPARK_POINTS = 40;
const LEAST_STEP_MS = 15_000;

export class Loader {
  constructor(private readonly queries: Queries) {}

  // Services, profile types and labels of the range.
  async overview(state: ViewState, interval: Interval, signal: AbortSignal): Promise<Overview> {
    const selector = selectorOf(state.service, state.filter);
    const [services, types, labelNames] = await Promise.all([
      this.queries.services(interval, signal),
      this.queries.profileTypes(interval, signal),
      this.queries.labelNames(selector, interval, signal).catch(() => [] as string[]),
    ]);
    const offered = state.service === "" ? types : (services.get(state.service) ?? types);
    const type = state.type || defaultType(offered);
    return { services, types, labelNames, type, courses: new Map() };
  }

  // Fills in `overview.courses`.
  async courses(
    overview: Overview,
    filter: string,
    interval: Interval,
    signal: AbortSignal,
  ): Promise<void> {
    const step = stepFor(interval, SPARK_POINTS, LEAST_STEP_MS);
    const steps = aligned(interval, step);
    const selection = { type: overview.type, selector: selectorOf("", filter), interval: steps };
    const series = await this.queries.series(selection, ["service_name"], step, signal);
    overview.courses = new Map(
      series.map((s) => [
        s.labels.find((label) => label.name === "service_name")?.value ?? "",
        regular(s, steps, step),
      ]),
    );
  }

  async profile(
    state: ViewState,
    type: string,
    interval: Interval,
    now: number,
    signal: AbortSignal,
  ): Promise<PageData> {
    const selection = { type, selector: selectorOf(state.service, state.filter), interval };
    const base = baseSelection(state, selection, now);
    const [current, baseSide, timeline] = await Promise.all([
      this.side(state, selection, signal),
      base ? this.side({ ...state, ...baseOwner(state) }, base, signal) : null,
      this.timeline(state, selection, base, signal),
    ]);
    return { type, interval, current, base: baseSide, timeline };
  }

  // Lays files, lines, modules and inlining over the trees. Returns whether anything was learnt;
  // a store without pprof leaves the trees as they are.
  async annotate(data: PageData, signal: AbortSignal): Promise<boolean> {
    const parts = [...data.current.parts, ...(data.base?.parts ?? [])];
    const noted = await Promise.all(parts.map((part) => this.annotatePart(part, signal)));
    return noted.some((count) => count > 0);
  }

  private async annotatePart(part: Part, signal: AbortSignal): Promise<number> {
    const bytes = await this.queries.pprof(part.selection, signal);
    return annotate(part.root, decodePprof(bytes));
  }

  private async side(state: ViewState, selection: Selection, signal: AbortSignal): Promise<Side> {
    if (state.groupBy !== "") return this.splitSide(state, selection, signal);
    const root = await this.queries.tree(selection, signal);
    return { selection, root, parts: [{ selection, root }] };
  }

  private async splitSide(
    state: ViewState,
    selection: Selection,
    signal: AbortSignal,
  ): Promise<Side> {
    const { interval } = selection;
    const step = interval.end - interval.start;
    const series = await this.queries.series(selection, [state.groupBy], step, signal);
    const root = makeNode("total", null);
    const parts = await Promise.all(
      groupsOf(state.groupBy, series).map(async ({ title, matcher }) => {
        const part = { ...selection, selector: this.narrowed(state, matcher) };
        const group = await this.queries.tree(part, signal);
        group.name = title;
        group.frame = true;
        return { selection: part, root: group };
      }),
    );
    for (const part of parts) {
      part.root.parent = root;
      root.children.push(part.root);
      root.total += part.root.total;
    }
    return { selection, root, parts };
  }

  private narrowed(state: ViewState, matcher: Matcher): string {
    return selectorOf(state.service, state.filter, [matcher]);
  }

  private async timeline(
    state: ViewState,
    selection: Selection,
    base: Selection | null,
    signal: AbortSignal,
  ): Promise<Timeline> {
    const both = base ? hull(selection.interval, base.interval) : selection.interval;
    const stepMs = stepFor(both, TIMELINE_POINTS, LEAST_STEP_MS);
    const interval = aligned(both, stepMs);
    const ask = (s: Selection, groupBy: string[]): Promise<Series[]> =>
      this.queries.series({ ...s, interval }, groupBy, stepMs, signal);
    if (base && state.compare === "labels") {
      const sides = await Promise.all([ask(base, []), ask(selection, [])]);
      return { interval, stepMs, series: sides.map((side) => side[0] ?? NO_SERIES) };
    }
    const series = await ask(selection, state.groupBy === "" ? [] : [state.groupBy]);
    return { interval, stepMs, series: largestFirst(series) };
  }
}

// `interval` on whole steps, so that the same profiles fall into the same bar at each refresh. The
// step that has just begun is left out.
export function aligned({ start, end }: Interval, stepMs: number): Interval {
  const first = Math.floor(start / stepMs) * stepMs;
  return { start: first, end: Math.max(Math.floor(end / stepMs) * stepMs, first + stepMs) };
}

function hull(a: Interval, b: Interval): Interval {
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

function baseOwner(state: ViewState): Pick<ViewState, "service" | "filter"> {
  if (state.compare !== "labels") return { service: state.service, filter: state.filter };
  return { service: state.baseService, filter: state.baseFilter };
}

// What the view is compared with, or null outside a diff and while the baseline is incomplete.
export function baseSelection(
  state: ViewState,
  selection: Selection,
  now: number,
): Selection | null {
  const owner = baseOwner(state);
  const selector = selectorOf(owner.service, owner.filter);
  switch (state.compare) {
    case "none":
      return null;
    case "before":
      return { ...selection, selector, interval: preceding(selection.interval) };
    case "labels":
      return parseMatchers(state.baseFilter).error === "" ? { ...selection, selector } : null;
    case "range": {
      const interval = resolve({ from: state.baseFrom, until: state.baseUntil }, now);
      return interval ? { ...selection, selector, interval } : null;
    }
  }
}

// The values of a series at each step, 0 where it has none.
export function regular(series: Series, interval: Interval, stepMs: number): number[] {
  const count = Math.max(1, Math.floor((interval.end - interval.start) / stepMs));
  const values = new Array<number>(count).fill(0);
  for (const point of series.points) {
    const index = Math.round((point.timestamp - interval.start) / stepMs) - 1;
    if (index >= 0 && index < count) values[index] += point.value;
  }
  return values;
}
