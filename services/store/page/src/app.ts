// The page: one state, one load at a time, and the parts that show them.

import type { Queries, Selection } from "./api/queries";
import { Loader, type Overview, type PageData } from "./data/loader";
import { failureOf, gatherFacts } from "./data/facts";
import { keyGroups, type KeyTargets } from "./keys";
import { carryNotes } from "./model/annotate";
import { toBase64 } from "./model/base64";
import { diagnose, type Action, type Diagnosis } from "./model/diagnosis";
import { parseProfileType, titleOf } from "./model/profile_type";
import { fillReport } from "./model/report";
import { formatMatchers, parseMatchers, selectorOf } from "./model/selector";
import { groupsOf } from "./model/split";
import {
  absolute,
  describeRange,
  formatMoment,
  isRelative,
  resolve,
  type Interval,
} from "./model/time_range";
import {
  DEFAULT_STATE,
  formatState,
  needsData,
  parseState,
  reportable,
  type ViewState,
} from "./model/view_state";
import { copyText } from "./view/clipboard";
import { Controls } from "./view/controls";
import { Downloads } from "./view/downloads";
import { button, h } from "./view/dom";
import { EmptyState } from "./view/empty_state";
import { Health } from "./view/health";
import { ProfilePanel } from "./view/profile_panel";
import { ServiceList } from "./view/service_list";
import { Shortcuts } from "./view/shortcuts";
import { ThemeChoice } from "./view/theme";
import { TimelineView } from "./view/timeline";

const EMPTY_REFRESH_SECONDS = 3;

// A live refresh does not ask for the pprof again while so much of the graph has its notes.
const ENOUGH_NOTES = 0.98;

export class App {
  private state: ViewState;
  private overview: Overview | null = null;
  private data: PageData | null = null;
  // The state that `data` answers.
  private shownFor = DEFAULT_STATE;
  private diagnosis: Diagnosis | null = null;
  private loading: AbortController | null = null;
  private refreshTimer = 0;

  private readonly loader: Loader;
  private readonly theme: ThemeChoice;
  private readonly controls: Controls;
  private readonly services = new ServiceList((service) => this.set({ service, zoom: "" }));
  private readonly timeline: TimelineView;
  private readonly panel: ProfilePanel;
  private readonly health = new Health();
  private readonly empty = new EmptyState((action) => this.act(action));
  private readonly downloads: Downloads;
  private readonly shortcuts: Shortcuts;
  private readonly status = h("span", { class: "status" });
  private readonly announcement = h("span", { class: "visually-hidden", role: "status" });

  constructor(
    private readonly queries: Queries,
    private readonly root: HTMLElement,
  ) {
    this.state = parseState(location.search);
    this.loader = new Loader(queries);
    const set = (patch: Partial<ViewState>): void => this.set(patch);
    this.panel = new ProfilePanel(set, (text) => this.copy(text));
    this.controls = new Controls(set, this.labelSource(), {
      swap: () => this.swap(),
      onlyBase: () => this.onlyBase(),
      onlyCurrent: () => this.set({ compare: "none" }),
    });
    this.timeline = new TimelineView(
      (interval, asBase) => this.selectSpan(interval, asBase),
      (index) => this.filterByGroup(index),
    );
    this.downloads = new Downloads(() => this.downloadSource(), { pprof: true, report: true });
    this.shortcuts = new Shortcuts(keyGroups(this.keyTargets()));
    this.theme = new ThemeChoice(() => this.render());
    this.layOut();
    addEventListener("popstate", () => this.adopt(parseState(location.search)));
    document.addEventListener("visibilitychange", () => this.schedule());
  }

  start(): void {
    this.render();
    void this.load();
  }

  private layOut(): void {
    const header = h(
      "header",
      {},
      h("a", { class: "brand", href: location.pathname }, h("h1", {}, "Stoker")),
      this.status,
      this.announcement,
      h("span", { class: "grow" }),
      this.health.button,
      button("Copy link", () => this.copyLink(), { title: "Copy link (y)" }),
      this.downloads.element,
      this.theme.button,
      this.shortcuts.button,
    );
    const content = h(
      "main",
      {},
      this.controls.element,
      this.timeline.element,
      this.empty.element,
      this.panel.element,
    );
    this.root.replaceChildren(
      header,
      h("div", { class: "page" }, this.services.element, content),
      this.shortcuts.sheet,
      this.controls.range.dialog,
      this.health.sheet,
    );
  }

  private set(patch: Partial<ViewState>): void {
    const next = { ...this.state, ...patch };
    // Each letter typed into the search field is no step to go back to.
    const minor = Object.keys(patch).every((key) => key === "search" || key === "refresh");
    const url = formatState(next) || location.pathname;
    if (minor) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.adopt(next);
  }

  private adopt(next: ViewState): void {
    const reload = needsData(this.state, next);
    this.state = next;
    if (reload || !this.data) void this.load();
    else this.schedule();
    this.render();
  }

  // What the baseline selects, in the words of the current side.
  private baseAsCurrent(): Partial<ViewState> {
    const { compare, baseService, baseFilter } = this.state;
    if (compare === "labels") return { service: baseService, filter: baseFilter };
    const interval = this.data?.base?.selection.interval;
    return interval ? absolute(interval) : {};
  }

  private onlyBase(): void {
    this.set({ ...this.baseAsCurrent(), compare: "none", zoom: "" });
  }

  private swap(): void {
    const { compare, service, filter, from, until } = this.state;
    if (compare === "labels") {
      this.set({ ...this.baseAsCurrent(), baseService: service, baseFilter: filter });
    } else {
      const current = this.data ? absolute(this.data.interval) : { from, until };
      const base = { baseFrom: current.from, baseUntil: current.until };
      this.set({ ...this.baseAsCurrent(), ...base, compare: "range" });
    }
  }

  private selectSpan(interval: Interval, asBase: boolean): void {
    const { from, until } = absolute(interval);
    if (!asBase) return this.set({ from, until });
    this.set({ compare: "range", baseFrom: from, baseUntil: until });
  }

  private filterByGroup(index: number): void {
    if (this.data?.base && this.state.compare === "labels") {
      return index === 0 ? this.onlyBase() : this.set({ compare: "none" });
    }
    const group = this.groups()[index];
    if (!group) return;
    const matchers = [...parseMatchers(this.state.filter).matchers, group.matcher];
    this.set({ filter: formatMatchers(matchers), groupBy: "", zoom: "" });
  }

  private groups(): ReturnType<typeof groupsOf> {
    const series = this.data?.timeline.series ?? [];
    return this.state.groupBy === "" ? [] : groupsOf(this.state.groupBy, series);
  }

  private async load(): Promise<void> {
    this.loading?.abort();
    clearTimeout(this.refreshTimer);
    const loading = new AbortController();
    document.documentElement.dataset.ready = "false";
    this.loading = loading;
    if (!this.data || needsData(this.shownFor, this.state)) this.status.textContent = "Loading…";
    void this.loadHealth(loading.signal);
    const state = this.state;
    const now = Date.now();
    const interval = resolve(state, now);
    try {
      await this.fetchAll(state, interval, now, loading.signal);
    } catch (e) {
      if (loading.signal.aborted) return;
      if (this.keepStale(state, e)) return;
      await this.explain(state, interval, loading.signal, e);
    }
    if (this.loading !== loading) return;
    this.finish();
  }

  // Beside the profiles: they do not wait for it, and show without it.
  private async loadHealth(signal: AbortSignal): Promise<void> {
    const checks = await this.queries.checks(signal).catch(() => null);
    if (checks && !signal.aborted) this.health.show(checks);
  }

  // When a mere refresh fails, what is on screen stays, and the page tries again.
  private keepStale(state: ViewState, error: unknown): boolean {
    if (!this.data || this.diagnosis || needsData(this.shownFor, state)) return false;
    this.status.textContent = `Refresh failed: ${failureOf(error).message}`;
    document.documentElement.dataset.ready = "true";
    this.schedule();
    return true;
  }

  private async fetchAll(
    state: ViewState,
    interval: Interval | null,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (!interval || parseMatchers(state.filter).error !== "")
      return this.explain(state, interval, signal);
    this.overview = await this.loader.overview(state, interval, signal);
    const { type } = this.overview;
    if (type === "") return this.explain(state, interval, signal);
    const [data] = await Promise.all([
      this.loader.profile(state, type, interval, now, signal),
      this.loader.courses(this.overview, state.filter, interval, signal),
    ]);
    if (data.current.root.total === 0 && !data.base?.root.total) {
      this.data = data;
      return this.explain(state, interval, signal);
    }
    this.diagnosis = null;
    const refreshed = this.data !== null && !needsData(this.shownFor, state);
    const known = this.carryNotes(data);
    this.data = data;
    this.shownFor = state;
    this.panel.invalidate();
    if (!refreshed || known < ENOUGH_NOTES) void this.annotate(data, signal);
  }

  // The share of both sides whose notes were known already.
  private carryNotes({ current, base }: PageData): number {
    if (!this.data) return 0;
    const known = carryNotes(this.data.current.root, current.root);
    if (!base) return known;
    return this.data.base ? Math.min(known, carryNotes(this.data.base.root, base.root)) : 0;
  }

  // A store that has no pprof to give costs files and modules, not the graph.
  private async annotate(data: PageData, signal: AbortSignal): Promise<void> {
    const learnt = await this.loader.annotate(data, signal).catch(() => false);
    if (!learnt || signal.aborted || this.data !== data) return;
    this.panel.invalidate();
    this.render();
  }

  private async explain(
    state: ViewState,
    interval: Interval | null,
    signal: AbortSignal,
    error?: unknown,
  ): Promise<void> {
    const facts = await gatherFacts(this.queries, state, this.overview, interval, error);
    if (!signal.aborted) this.diagnosis = diagnose(facts);
  }

  private finish(): void {
    const now = Date.now();
    this.status.textContent = this.diagnosis ? "" : `as of ${formatMoment(now, now)}`;
    this.render();
    this.schedule();
    // The graph is drawn in the next frame, and is on screen in the one after it.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        document.documentElement.dataset.ready = "true";
        performance.mark("drawn");
      }),
    );
  }

  private schedule(): void {
    clearTimeout(this.refreshTimer);
    const { refresh } = this.state;
    if (refresh === 0 || !isRelative(this.state) || document.hidden) return;
    // Someone who waits for first profiles should not wait for the page too.
    const seconds = this.diagnosis ? Math.min(refresh, EMPTY_REFRESH_SECONDS) : refresh;
    this.refreshTimer = window.setTimeout(() => void this.load(), seconds * 1000);
  }

  private labelSource(): {
    names: () => Promise<string[]>;
    values: (l: string) => Promise<string[]>;
  } {
    const ask = <T>(question: (selector: string, interval: Interval) => Promise<T>): Promise<T> => {
      const interval = resolve(this.state, Date.now());
      if (!interval) return Promise.reject(new Error("no range"));
      return question(selectorOf(this.state.service, ""), interval);
    };
    const signal = (): AbortSignal => AbortSignal.timeout(5000);
    return {
      names: () => ask((selector, i) => this.queries.labelNames(selector, i, signal())),
      values: (label) =>
        ask((selector, i) => this.queries.labelValues(label, selector, i, signal())),
    };
  }

  private render(): void {
    const { state, data, diagnosis } = this;
    if (!this.theme) return;
    this.controls.show(state, this.overview);
    this.services.show(this.overview, state.service);
    this.empty.show(diagnosis);
    this.panel.element.hidden = diagnosis !== null || data === null;
    this.timeline.element.hidden = data === null;
    if (data) this.showTimeline(data);
    if (!diagnosis) this.panel.show(state, data, this.theme.dark);
    document.title = `${this.title()} · Stoker`;
  }

  private showTimeline(data: PageData): void {
    const { base, current } = data;
    const byLabels = base !== null && this.shownFor.compare === "labels";
    const ranges = base !== null && !byLabels;
    this.timeline.show({
      course: data.timeline,
      type: data.type,
      now: Date.now(),
      current: ranges ? current.selection.interval : null,
      base: ranges ? base.selection.interval : null,
      legend: byLabels ? ["A baseline", "B now"] : this.groups().map((group) => group.short),
    });
  }

  private title(): string {
    const type = titleOf(parseProfileType(this.data?.type ?? this.state.type));
    return [this.state.service || "All services", type]
      .filter((part) => part.trim() !== "")
      .join(" ");
  }

  private downloadSource(): ReturnType<ConstructorParameters<typeof Downloads>[0]> {
    const view = this.panel.view;
    const { data } = this;
    if (!view || !data || this.diagnosis) return null;
    return {
      ...view,
      title: this.title(),
      unit: this.panel.unit,
      paint: (node) => this.panel.paint(node),
      pprof: () => this.queries.pprof(data.current.selection, AbortSignal.timeout(60_000)),
      report: (gzip) => this.report(data.current.selection, gzip),
    };
  }

  // A page that shows what is in view without this store.
  private async report({ selector, interval }: Selection, gzip: Uint8Array): Promise<string> {
    const template = await this.queries.reportPage(AbortSignal.timeout(60_000));
    const view = formatState({ ...DEFAULT_STATE, ...reportable(this.state) }).slice(1);
    // With the date, which a file outlives.
    const range = describeRange(absolute(interval), 0);
    const detail = [selector === "{}" ? "" : selector, range].filter((t) => t !== "").join(" · ");
    return fillReport(template, { title: this.title(), detail, view, pprof: toBase64(gzip) });
  }

  private act(action: Action): void {
    switch (action.kind) {
      case "clearFilter":
        return this.set({ filter: "" });
      case "allServices":
        return this.set({ service: "" });
      case "showType":
        return this.set({ type: action.value });
      case "lastHour":
        return this.set({ from: "now-1h", until: "now" });
      case "showNewest":
        return void this.showNewest();
      case "retry":
        return void this.load();
    }
  }

  private async showNewest(): Promise<void> {
    const stats = await this.queries.stats(AbortSignal.timeout(5000)).catch(() => null);
    if (!stats) return;
    this.set(absolute({ start: stats.newest - 15 * 60_000, end: stats.newest + 15_000 }));
  }

  private copy(text: string, done = "Name copied"): void {
    void copyText(text, done).then((said) => {
      this.status.textContent = said;
      this.announcement.textContent = said;
    });
  }

  private copyLink(): void {
    this.copy(location.href, "Link copied");
  }

  private keyTargets(): KeyTargets {
    const { panel, controls, services, timeline, downloads, health } = this;
    return {
      state: () => this.state,
      set: (patch) => this.set(patch),
      ...{ panel, controls, services, timeline, downloads, health },
      nextTheme: () => this.theme.next(),
      copy: (text) => this.copy(text),
      copyLink: () => this.copyLink(),
      swap: () => this.swap(),
      showSheet: () => this.shortcuts.sheet.showModal(),
    };
  }
}
