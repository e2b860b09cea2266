// The part of a flame graph around the selected node as tree items, for screen readers. A canvas
// says nothing, and 100,000 elements would be too many.

import { weight, type Node } from "../model/tree";
import { depthOf } from "../model/tree";
import { h } from "./dom";
import type { Scene } from "./flame_view";

const MAX_RELATIVES = 30;
let instances = 0;

export class FlameTreeItems {
  readonly element = h("div", { class: "visually-hidden", role: "group" });
  private readonly prefix = `flame${instances++}`;

  show(owner: HTMLElement, scene: Scene): void {
    const selected = scene.selected ?? scene.zoom;
    const items: HTMLElement[] = [];
    for (let n: Node | null = selected.parent; n; n = n.parent) items.unshift(this.item(scene, n));
    for (const sibling of siblings(scene, selected)) items.push(this.item(scene, sibling));
    for (const child of largest(scene, selected.children)) items.push(this.item(scene, child));
    for (const item of items) {
      const current = item.dataset.current === "true";
      item.setAttribute("aria-selected", String(current));
      if (!current) continue;
      item.id = `${this.prefix}-current`;
    }
    this.element.replaceChildren(...items);
    owner.setAttribute("aria-activedescendant", `${this.prefix}-current`);
  }

  private item(scene: Scene, node: Node): HTMLElement {
    const family = node.parent?.children ?? [node];
    const attributes: Record<string, string | number | boolean> = {
      role: "treeitem",
      "aria-level": depthOf(node) + 1,
      "aria-setsize": family.length,
      "aria-posinset": family.indexOf(node) + 1,
      "data-current": String(node === (scene.selected ?? scene.zoom)),
    };
    if (node.children.length > 0) attributes["aria-expanded"] = "true";
    return h("div", attributes, scene.describe(node));
  }
}

function largest(scene: Scene, nodes: Node[]): Node[] {
  if (nodes.length <= MAX_RELATIVES) return nodes;
  return [...nodes]
    .sort((a, b) => weight(scene.tree, b) - weight(scene.tree, a))
    .slice(0, MAX_RELATIVES);
}

function siblings(scene: Scene, node: Node): Node[] {
  const shown = largest(scene, node.parent?.children ?? [node]);
  return shown.includes(node) ? shown : [...shown, node];
}
