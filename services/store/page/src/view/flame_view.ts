// A flame graph on a canvas, in a box that scrolls, with a tree for assistive technology beside it.

import { changeMark, changeOf, changeSign } from "../model/diff";
import { kindOf } from "../model/frame_kind";
import { boxAt, boxOf, layoutBoxes, type Box, type Layout } from "../model/layout";
import type { Matcher } from "../model/search";
import { depthOf, type Node, type Tree } from "../model/tree";
import type { Paint } from "../model/colour";
import { h } from "./dom";
import { FlameTreeItems } from "./flame_tree_items";
import { neighbour } from "./flame_keys";
import { hatch } from "./hatch";
import { TextFitter } from "./text_fitter";

export interface Scene {
  tree: Tree;
  zoom: Node;
  selected: Node | null;
  matches: Matcher | null;
  dark: boolean;
  paint: (node: Node) => Paint;
  // What a screen reader says of a node.
  describe: (node: Node) => string;
}

export interface FlameEvents {
  zoom: (node: Node) => void;
  select: (node: Node) => void;
  hover: (node: Node | null) => void;
}

export const ROW_HEIGHT = 20;
// From this width on a box of a diff has room for its name and the amount of change.
const MARK_FROM = 160;

export class FlameView {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly spacer = h("div", { class: "spacer" });
  private readonly items = new FlameTreeItems();
  private readonly fitter = new TextFitter();
  private scene: Scene | null = null;
  private layout: Layout = { rows: [], hidden: 0 };
  private hovered: Node | null = null;
  private drawing = 0;

  // `upward`: the root is at the bottom, for callers.
  constructor(
    label: string,
    private readonly upward: boolean,
    private readonly events: FlameEvents,
  ) {
    this.element = h(
      "div",
      { class: "flame", role: "tree", tabindex: 0, "aria-label": label },
      this.canvas,
      this.spacer,
      this.items.element,
    );
    this.listen();
    new ResizeObserver(() => this.relayout()).observe(this.element);
  }

  // How many frames, with all below them, are too narrow to be drawn.
  get hiddenBranches(): number {
    return this.layout.hidden;
  }

  show(scene: Scene): void {
    const moved = this.scene?.zoom !== scene.zoom || this.scene.tree !== scene.tree;
    this.scene = scene;
    if (this.hovered && moved) this.hover(null);
    this.relayout();
    this.items.show(this.element, scene);
  }

  focus(): void {
    this.element.focus({ preventScroll: true });
  }

  private listen(): void {
    const { element, canvas } = this;
    element.addEventListener("scroll", () => this.redraw(), { passive: true });
    canvas.addEventListener("pointermove", (e) => this.hover(this.nodeAt(e)));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (e) => this.click(this.nodeAt(e)));
    element.addEventListener("keydown", (e) => this.key(e));
    element.addEventListener("focus", () => this.redraw());
    element.addEventListener("blur", () => this.redraw());
  }

  private click(node: Node | null): void {
    if (!node || !this.scene) return;
    this.events.select(node);
    this.events.zoom(node);
  }

  private key(event: KeyboardEvent): void {
    if (!this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = this.scene.selected ?? this.scene.zoom;
    if (event.key === "Enter" || event.key === " ") this.events.zoom(from);
    else if (event.key === "Backspace") this.events.zoom(this.scene.zoom.parent ?? this.scene.zoom);
    else {
      const to = neighbour(this.layout, from, event.key, this.upward);
      if (!to) return;
      this.events.select(to);
      this.reveal(to);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private hover(node: Node | null): void {
    if (node === this.hovered) return;
    this.hovered = node;
    this.events.hover(node);
    this.redraw();
  }

  private nodeAt(event: MouseEvent): Node | null {
    const bounds = this.canvas.getBoundingClientRect();
    const y = event.clientY - bounds.top + this.element.scrollTop;
    const row = Math.floor((this.upward ? this.contentHeight() - y : y) / ROW_HEIGHT);
    return boxAt(this.layout.rows[row], event.clientX - bounds.left)?.node ?? null;
  }

  private contentHeight(): number {
    return Math.max(
      this.layout.rows.length * ROW_HEIGHT,
      this.upward ? this.element.clientHeight : 0,
    );
  }

  // Scrolls to a node.
  reveal(node: Node): void {
    const depth = depthOf(node);
    const y = this.upward ? this.contentHeight() - (depth + 1) * ROW_HEIGHT : depth * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.element;
    if (y < scrollTop) this.element.scrollTop = y;
    else if (y + ROW_HEIGHT > scrollTop + clientHeight) {
      this.element.scrollTop = y + ROW_HEIGHT - clientHeight;
    }
  }

  private relayout(): void {
    const width = this.element.clientWidth;
    if (!this.scene || width === 0) return;
    this.layout = layoutBoxes(this.scene.tree, this.scene.zoom, width);
    const height = this.element.clientHeight;
    this.element.style.setProperty("--content", `${this.layout.rows.length * ROW_HEIGHT + 2}px`);
    this.spacer.style.height = `${Math.max(0, this.contentHeight() - height)}px`;
    if (this.upward) this.element.scrollTop = this.contentHeight();
    this.redraw();
  }

  // Draws at the next frame, once however often it is asked for.
  private redraw(): void {
    if (this.drawing !== 0) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  private draw(): void {
    const context = this.prepareCanvas();
    if (!context || !this.scene) return;
    const { scrollTop, clientHeight } = this.element;
    const content = this.contentHeight();
    this.layout.rows.forEach((row, depth) => {
      const top = this.upward ? content - (depth + 1) * ROW_HEIGHT : depth * ROW_HEIGHT;
      const y = top - scrollTop;
      if (y + ROW_HEIGHT < 0 || y > clientHeight) return;
      for (const box of row) this.drawBox(context, box, y);
    });
    this.outline(context, content - scrollTop);
  }

  private prepareCanvas(): CanvasRenderingContext2D | null {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    const width = Math.round(clientWidth * ratio);
    const height = Math.round(clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.canvas.style.width = `${clientWidth}px`;
      this.canvas.style.height = `${clientHeight}px`;
    }
    const context = this.canvas.getContext("2d");
    if (!context) return null;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, clientWidth, clientHeight);
    context.textBaseline = "middle";
    return context;
  }

  private drawBox(context: CanvasRenderingContext2D, box: Box, y: number): void {
    const { node, x, width } = box;
    const { matches, dark } = this.scene!;
    const paint = this.scene!.paint(node);
    const matched = matches !== null && node.frame && matches(node.name);
    const faded = matches ? !matched : box.above;
    context.globalAlpha = faded ? 0.38 : 1;
    context.fillStyle = paint.fill;
    const drawn = Math.max(width - (width > 3 ? 1 : 0), 0.5);
    context.fillRect(x, y, drawn, ROW_HEIGHT - 1);
    const kind = kindOf(node.name);
    if (kind !== "function" && node.frame && width > 4) {
      context.fillStyle = hatch(context, dark, kind === "truncated");
      context.fillRect(x, y, drawn, ROW_HEIGHT - 1);
    }
    if (matched) {
      context.fillStyle = dark ? "#ffd166" : "#8a3ffc";
      context.fillRect(x, y + ROW_HEIGHT - 4, drawn, 3);
    }
    if (width > 18) this.drawText(context, box, y, paint);
    context.globalAlpha = 1;
  }

  private drawText(context: CanvasRenderingContext2D, box: Box, y: number, paint: Paint): void {
    const { node, width } = box;
    const { tree } = this.scene!;
    const inlined = node.note?.inlined ?? false;
    context.fillStyle = paint.text;
    const font = `12px system-ui, sans-serif`;
    context.font = font;
    const middle = y + (ROW_HEIGHT - 1) / 2 + 0.5;
    let room = width;
    if (tree.diff && node.frame) {
      const change = changeOf(tree, node);
      const mark = width > MARK_FROM ? changeMark(change) : changeSign(change);
      context.textAlign = "right";
      context.fillText(mark, box.x + width - 5, middle);
      room -= context.measureText(mark).width + 8;
    }
    context.textAlign = "left";
    if (inlined) context.font = `italic ${font}`;
    const label = this.fitter.fit(context, (inlined ? "↳ " : "") + node.name, room - 8);
    if (label) context.fillText(label, box.x + 4, middle);
  }

  private outline(context: CanvasRenderingContext2D, bottom: number): void {
    const focused = document.activeElement === this.element;
    for (const node of [this.hovered, focused ? this.scene!.selected : null]) {
      const box = node && boxOf(this.layout, node);
      if (!box) continue;
      const depth = depthOf(box.node);
      const y = this.upward
        ? bottom - (depth + 1) * ROW_HEIGHT
        : depth * ROW_HEIGHT - this.element.scrollTop;
      context.lineWidth = node === this.hovered ? 1 : 2;
      context.strokeStyle = this.scene!.dark ? "#ffffff" : "#000000";
      context.strokeRect(box.x + 1, y + 0.5, Math.max(box.width - 2.5, 1), ROW_HEIGHT - 2);
    }
  }
}
