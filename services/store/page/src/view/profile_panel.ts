// The profile itself: search and transformations, details, flame graph, table, sandwich.

import { diffPaint, framePaint } from "../model/colour";
import { changeOf, diffTree } from "../model/diff";
import { gapsOf } from "../model/gaps";
import { findByKey, pathKey } from "../model/path_key";
import {
  exactly,
  find,
  largestMatch,
  parseQuery,
  type Found,
  type Matcher,
  type Query,
} from "../model/search";
import { collapseRecursion, focusOn, ignore, invert, invertGroups } from "../model/transform";
import { singleTree, withRoot, type Node, type Tree } from "../model/tree";
import { formatShare } from "../model/units";
import type { View, ViewState } from "../model/view_state";
import { parseProfileType } from "../model/profile_type";
import { describeNode, DetailsBar } from "./details_bar";
import { button, h, refill } from "./dom";
import type { SetState } from "./controls";
import { FlameView } from "./flame_view";
import { SandwichView } from "./sandwich_view";
import { TopTable } from "./top_table";

// One profile, or two of them to compare.
export interface ProfileData {
  type: string;
  current: { root: Node };
  base: { root: Node } | null;
}

const VIEWS: Array<[View, string]> = [
  ["flame", "Flame graph"],
  ["both", "Both"],
  ["table", "Table"],
  ["sandwich", "Sandwich"],
];

const ZOOM_NAMES = { zoom: "zoom", callerZoom: "zoom of callers", calleeZoom: "zoom of callees" };

// Which zooms the view has, to take back.
export function zoomsOf(state: ViewState): Array<keyof typeof ZOOM_NAMES> {
  const { view, zoom, callerZoom, calleeZoom } = state;
  if (view !== "sandwich") return zoom === "" ? [] : ["zoom"];
  return [
    ...(calleeZoom === "" ? [] : (["calleeZoom"] as const)),
    ...(callerZoom === "" ? [] : (["callerZoom"] as const)),
  ];
}

export class ProfilePanel {
  readonly element: HTMLElement;
  private readonly tabs = h("div", { class: "tabs", role: "group", "aria-label": "View" });
  private readonly search = h("input", {
    type: "search",
    placeholder: "Search functions, /regex/",
    "aria-label": "Search functions",
    oninput: () => this.set({ search: this.search.value }),
    onkeydown: (e) => this.searchKey(e as KeyboardEvent),
  });
  private readonly found = h("span", { role: "status" });
  private readonly searchField = h("div", { class: "search" }, this.search, this.found);
  private readonly switches = h("div", {
    class: "switches",
    role: "group",
    "aria-label": "Transform",
  });
  private readonly chips = h("div", { class: "chips" });
  private readonly key = h(
    "p",
    { class: "key" },
    h("span", { class: "more" }, "▲ more than A"),
    h("span", { class: "less" }, "▼ less than A"),
    h("span", { class: "more" }, "+ new: not in A"),
    h("span", { class: "less" }, "× gone: only in A"),
    h("span", {}, "= same"),
    h("span", {}, "pp: percentage points"),
  );
  private readonly details: DetailsBar;
  private readonly flame: FlameView;
  private readonly table: TopTable;
  private readonly sandwich: SandwichView;
  private readonly body = h("div", { class: "body" });

  private state: ViewState | null = null;
  private data: ProfileData | null = null;
  private dark = false;
  // Focused, ignored and collapsed: what the table and the sandwich sum up.
  private shaped: Tree | null = null;
  // The same, inverted if asked for: what the flame graph draws.
  private drawn: Tree | null = null;
  private shape = "";
  private query: Query = { matches: null, error: "" };
  private queried = "";
  // What the search finds in `drawn`, as long as neither changes.
  private hits: { tree: Tree; query: Query; found: Found } | null = null;
  private selectedKey = "";
  // Nodes of `drawn` by their keys.
  private readonly located = new Map<string, Node>();

  // `copy` puts a text on the clipboard.
  constructor(
    private readonly set: SetState,
    copy: (text: string) => void,
  ) {
    this.details = new DetailsBar({
      focus: (name) => set({ focus: name, zoom: "" }),
      ignore: (name) => set({ ignore: name, zoom: "" }),
      sandwich: (name) => this.openSandwich(name),
      search: (name) => set({ search: exactly(name) }),
      copy,
    });
    this.flame = new FlameView("Flame graph", false, {
      zoom: (node) => set({ zoom: pathKey(node) }),
      select: (node) => this.select(node),
      hover: (node) => this.about(node ?? this.selected()),
    });
    this.table = new TopTable({
      find: (name) => {
        const search = exactly(name);
        set({ search: this.state?.search === search ? "" : search });
      },
      sandwich: (name) => this.openSandwich(name),
      sort: (sort) => set({ sort }),
    });
    this.sandwich = new SandwichView({
      about: (tree, node) => this.details.show(tree, node, this.unit),
      zoom: (patch) => set(patch),
    });
    this.body.append(this.table.element, this.flame.element, this.sandwich.element);
    this.element = h(
      "section",
      { class: "profile", "aria-label": "Profile" },
      h(
        "div",
        { class: "toolbar" },
        this.tabs,
        this.searchField,
        this.switches,
        this.chips,
        this.key,
      ),
      this.details.element,
      this.body,
    );
  }

  // The tree after all transformations, and what it is zoomed to; null before the first data.
  get view(): { tree: Tree; zoom: Node } | null {
    return this.drawn && this.state
      ? { tree: this.drawn, zoom: this.locate(this.state.zoom) }
      : null;
  }

  get frameName(): string {
    return this.details.frameName;
  }

  get unit(): string {
    return parseProfileType(this.data?.type ?? "").unit;
  }

  // Forgets what it has worked out from the trees; call after new data or notes.
  invalidate(): void {
    this.shape = "";
  }

  show(state: ViewState, data: ProfileData | null, dark: boolean): void {
    this.state = state;
    this.data = data;
    this.dark = dark;
    this.renderToolbar();
    if (!data) return;
    this.reshape(state, data);
    if (state.search !== this.queried) this.query = parseQuery(state.search);
    this.queried = state.search;
    this.renderFound();
    this.renderViews();
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  // Enter goes to the largest match, Escape forgets the search.
  private searchKey(event: KeyboardEvent): void {
    if (event.key === "Enter") {
      this.goToMatch();
    } else if (event.key === "Escape") {
      this.search.value = "";
      this.search.blur();
      this.set({ search: "" });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private goToMatch(): void {
    const { matches } = this.query;
    const match = matches && this.drawn && largestMatch(this.drawn, matches);
    if (!match || !this.state) return;
    if (this.state.view === "table" || this.state.view === "sandwich") this.set({ view: "both" });
    if (this.state.zoom !== "") this.set({ zoom: "" });
    this.flame.focus();
    this.select(match);
    this.flame.reveal(match);
  }

  focusTable(): void {
    this.table.focus();
  }

  focusFlame(): void {
    this.flame.focus();
  }

  selected(): Node | null {
    const view = this.view;
    if (!view) return null;
    return this.selectedKey === "" ? view.zoom : this.locate(this.selectedKey);
  }

  private locate(key: string): Node {
    let node = this.located.get(key);
    if (!node) this.located.set(key, (node = findByKey(this.drawn!.root, key)));
    return node;
  }

  openSandwich(name: string): void {
    this.set({ view: "sandwich", sandwich: name, callerZoom: "", calleeZoom: "" });
  }

  paint(node: Node): { fill: string; text: string } {
    const { drawn, state, dark } = this;
    if (drawn?.diff) return diffPaint(changeOf(drawn, node), dark);
    return framePaint(node, state?.colours ?? "module", dark);
  }

  private select(node: Node): void {
    this.selectedKey = pathKey(node);
    this.located.set(this.selectedKey, node);
    this.about(node);
    this.renderViews();
  }

  private about(node: Node | null): void {
    if (!this.drawn || !this.shaped || !node) return;
    const lacks = { gaps: gapsOf(this.shaped), hidden: this.flame.hiddenBranches };
    this.details.show(this.drawn, node, this.unit, lacks);
  }

  private reshape(state: ViewState, data: ProfileData): void {
    const { focus, collapsed, inverted, normalise } = state;
    const shape = JSON.stringify([focus, state.ignore, collapsed, inverted, normalise]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.located.clear();
    const grouped = state.groupBy !== "";
    const whole = data.base
      ? diffTree(data.base.root, data.current.root, normalise, grouped)
      : singleTree(data.current.root, grouped);
    let { root } = whole;
    if (focus !== "") root = focusOn(root, focus);
    if (state.ignore !== "") root = ignore(root, state.ignore);
    if (collapsed) root = collapseRecursion(root);
    this.shaped = withRoot(whole, root);
    const turn = grouped ? invertGroups : invert;
    this.drawn = inverted ? withRoot(whole, turn(root)) : this.shaped;
  }

  private renderToolbar(): void {
    const state = this.state!;
    refill(
      this.tabs,
      ...VIEWS.map(([view, label]) =>
        button(label, () => this.set({ view }), { "aria-pressed": String(state.view === view) }),
      ),
    );
    if (document.activeElement !== this.search) this.search.value = state.search;
    const option = (label: string, on: boolean, patch: Partial<ViewState>): HTMLElement =>
      button(label, () => this.set({ zoom: "", ...patch }), { "aria-pressed": String(on) });
    refill(
      this.switches,
      option("Invert", state.inverted, { inverted: !state.inverted }),
      option("Collapse recursion", state.collapsed, { collapsed: !state.collapsed }),
      button(
        state.colours === "module" ? "Colour: module" : "Colour: name",
        () => this.set({ colours: state.colours === "module" ? "name" : "module" }),
        { "data-key": "colours" },
      ),
    );
    const chip = (label: string, patch: Partial<ViewState>): HTMLElement =>
      button(`${label} ✕`, () => this.set(patch), {
        class: "chip",
        "aria-label": `Remove ${label}`,
      });
    this.key.hidden = !this.data?.base;
    refill(
      this.chips,
      ...(state.focus ? [chip(`focus: ${state.focus}`, { focus: "", zoom: "" })] : []),
      ...(state.ignore ? [chip(`ignore: ${state.ignore}`, { ignore: "", zoom: "" })] : []),
      ...zoomsOf(state).map((key) => chip(ZOOM_NAMES[key], { [key]: "" })),
    );
  }

  private renderFound(): void {
    const { matches, error } = this.query;
    this.found.classList.toggle("problem", error !== "");
    let text = error;
    if (error === "" && matches && this.drawn) {
      const { nodes, share } = this.find(this.drawn, matches);
      text = nodes === 0 ? "no match" : `${formatShare(share)} in ${nodes} frames`;
    }
    this.found.textContent = text;
    this.search.title = text;
    this.searchField.classList.toggle("found", text !== "");
  }

  private find(tree: Tree, matches: Matcher): Found {
    if (this.hits?.tree !== tree || this.hits.query !== this.query) {
      this.hits = { tree, query: this.query, found: find(tree, matches) };
    }
    return this.hits.found;
  }

  private renderViews(): void {
    const { drawn, shaped, state, dark } = this;
    if (!drawn || !shaped || !state) return;
    this.body.dataset.view = state.view;
    const { matches } = this.query;
    const selected = this.selected();
    if (state.view !== "flame") this.table.show(shaped, this.unit, matches, state.sort);
    if (state.view === "flame" || state.view === "both") {
      this.flame.show({
        tree: drawn,
        zoom: this.locate(state.zoom),
        selected,
        matches,
        dark,
        paint: (node) => this.paint(node),
        describe: (node) => describeNode(drawn, node, this.unit),
      });
    }
    if (state.view === "sandwich") {
      const name = state.sandwich || this.table.hottest;
      const { colours, callerZoom, calleeZoom } = state;
      const options = { unit: this.unit, dark, colours, matches, callerZoom, calleeZoom };
      this.sandwich.show(shaped, name, options);
    } else this.about(selected);
  }
}
