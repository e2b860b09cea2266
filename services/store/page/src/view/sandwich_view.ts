// A function between its callers and its callees.

import { framePaint, diffPaint } from "../model/colour";
import { changeOf } from "../model/diff";
import { findByKey, pathKey } from "../model/path_key";
import type { Matcher } from "../model/search";
import { sandwich } from "../model/sandwich";
import { withRoot, type Node, type Tree } from "../model/tree";
import { formatShare, formatValue } from "../model/units";
import { describeNode } from "./details_bar";
import { h } from "./dom";
import { FlameView, type Scene } from "./flame_view";

export interface SandwichOptions {
  unit: string;
  dark: boolean;
  colours: "module" | "name";
  matches: Matcher | null;
  // Path keys of what the halves are zoomed to.
  callerZoom: string;
  calleeZoom: string;
}

export interface SandwichEvents {
  // A node that is pointed at or selected.
  about: (tree: Tree, node: Node) => void;
  zoom: (patch: { callerZoom: string } | { calleeZoom: string }) => void;
}

interface Half {
  view: FlameView;
  // The half alone, as a part of the whole; null before the first profile.
  tree: Tree | null;
  zoom: Node | null;
  selected: Node | null;
}

export class SandwichView {
  readonly element: HTMLElement;
  private readonly title = h("h3", {});
  private readonly callers: Half;
  private readonly callees: Half;
  private tree: Tree | null = null;
  private name = "";
  private options: SandwichOptions | null = null;

  constructor(private readonly events: SandwichEvents) {
    this.callers = this.half("Callers", true, (callerZoom) => events.zoom({ callerZoom }));
    this.callees = this.half("Callees", false, (calleeZoom) => events.zoom({ calleeZoom }));
    this.element = h(
      "div",
      { class: "sandwich-view" },
      this.title,
      h("p", { class: "side" }, "Callers"),
      this.callers.view.element,
      h("p", { class: "side" }, "Callees"),
      this.callees.view.element,
    );
  }

  show(tree: Tree, name: string, options: SandwichOptions): void {
    this.options = options;
    if (tree !== this.tree || name !== this.name) {
      const { callers, callees } = sandwich(tree.root, name);
      const same = name === this.name;
      adopt(this.callers, withRoot(tree, callers), same);
      adopt(this.callees, withRoot(tree, callees), same);
      this.tree = tree;
      this.name = name;
      this.tell(this.callees, this.callees.selected ?? callees);
      this.title.textContent = name
        ? `${name}: ${amount(tree, callees, options.unit)}`
        : "Choose a function in the table";
    }
    this.callers.zoom = findByKey(this.callers.tree!.root, options.callerZoom);
    this.callees.zoom = findByKey(this.callees.tree!.root, options.calleeZoom);
    this.render();
  }

  private half(label: string, upward: boolean, zoom: (key: string) => void): Half {
    const half: Half = {
      view: null as unknown as FlameView,
      tree: null,
      zoom: null,
      selected: null,
    };
    half.view = new FlameView(label, upward, {
      zoom: (node) => zoom(pathKey(node)),
      select: (node) => {
        half.selected = node;
        this.render();
        this.tell(half, node);
      },
      hover: (node) => this.tell(half, node ?? half.selected),
    });
    return half;
  }

  private tell(half: Half, node: Node | null): void {
    if (half.tree && node) this.events.about(half.tree, node);
  }

  private render(): void {
    for (const half of [this.callers, this.callees]) {
      if (half.tree) half.view.show(this.scene(half));
    }
  }

  private scene(half: Half): Scene {
    const tree = half.tree!;
    const { unit, dark, colours, matches } = this.options!;
    return {
      tree,
      zoom: half.zoom!,
      selected: half.selected,
      matches,
      dark,
      paint: (node) =>
        tree.diff ? diffPaint(changeOf(tree, node), dark) : framePaint(node, colours, dark),
      describe: (node) => describeNode(tree, node, unit),
    };
  }
}

// Gives a half its new tree; of the `same` function, the selection stays where it was.
function adopt(half: Half, tree: Tree, same: boolean): void {
  const { selected } = half;
  half.selected = selected && same ? findByKey(tree.root, pathKey(selected)) : null;
  half.tree = tree;
}

function amount(tree: Tree, callees: Node, unit: string): string {
  const share = formatShare(callees.total / (tree.whole.total || 1));
  const now = `${formatValue(callees.total, unit)}, ${share}`;
  return tree.diff ? `${now}, was ${formatValue(callees.baseTotal, unit)}` : now;
}
