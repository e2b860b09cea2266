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
}

interface Half {
  view: FlameView;
  root: Node | null;
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

  // `about` is told of each node that is pointed at or selected.
  constructor(private readonly about: (tree: Tree, node: Node) => void) {
    this.callers = this.half("Callers", true);
    this.callees = this.half("Callees", false);
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
      adopt(this.callers, callers, same);
      adopt(this.callees, callees, same);
      this.tree = tree;
      this.name = name;
      this.tell(this.callees, this.callees.selected ?? callees);
      this.title.textContent = name
        ? `${name}: ${amount(tree, callees, options.unit)}`
        : "Choose a function in the table";
    }
    this.render();
  }

  private half(label: string, upward: boolean): Half {
    const half: Half = {
      view: null as unknown as FlameView,
      root: null,
      zoom: null,
      selected: null,
    };
    half.view = new FlameView(label, upward, {
      zoom: (node) => {
        half.zoom = node;
        this.render();
      },
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
    if (half.root && node) this.about(withRoot(this.tree!, half.root), node);
  }

  private render(): void {
    for (const half of [this.callers, this.callees]) {
      if (half.root) half.view.show(this.scene(half));
    }
  }

  private scene(half: Half): Scene {
    const tree = withRoot(this.tree!, half.root!);
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

// Gives a half its new tree; of the `same` function, zoom and selection stay where they were.
function adopt(half: Half, root: Node, same: boolean): void {
  const again = (node: Node | null): Node | null =>
    node && same ? findByKey(root, pathKey(node)) : null;
  half.zoom = again(half.zoom) ?? root;
  half.selected = again(half.selected);
  half.root = root;
}

function amount(tree: Tree, callees: Node, unit: string): string {
  const share = formatShare(callees.total / (tree.whole.total || 1));
  const now = `${formatValue(callees.total, unit)}, ${share}`;
  return tree.diff ? `${now}, was ${formatValue(callees.baseTotal, unit)}` : now;
}
