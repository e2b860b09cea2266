// What is known of the frame under the pointer or the selected one, always at the same place.

import { changeMark, changeOf } from "../model/diff";
import { explainFrame, kindOf } from "../model/frame_kind";
import type { Gaps } from "../model/gaps";
import { shareOf, weight, type Node, type Tree } from "../model/tree";
import { formatShare, formatValue } from "../model/units";
import { button, h } from "./dom";

export interface FrameActions {
  focus: (name: string) => void;
  ignore: (name: string) => void;
  sandwich: (name: string) => void;
  search: (name: string) => void;
  copy: (name: string) => void;
}

export interface Lacks {
  gaps: Gaps;
  // How many branches are left out for being too narrow.
  hidden: number;
}

const NOTHING: Lacks = { gaps: { truncated: 0, unnamed: 0, folded: 0 }, hidden: 0 };

export class DetailsBar {
  readonly element = h("section", { class: "details", "aria-label": "Frame details" });
  private readonly text = h("div", { class: "about" });
  private readonly place = h("div", { class: "place" });
  private readonly actions: HTMLElement;
  private name = "";

  constructor(actions: FrameActions) {
    const act = (label: string, key: string, run: (name: string) => void): HTMLElement =>
      button(label, () => this.name && run(this.name), { title: `${label} (${key})` });
    this.actions = h(
      "div",
      { class: "actions", role: "group", "aria-label": "Do with this frame" },
      act("Focus", "f", actions.focus),
      act("Ignore", "x", actions.ignore),
      act("Sandwich", "s", actions.sandwich),
      act("Find all", "h", actions.search),
      act("Copy name", "c", actions.copy),
    );
    this.element.append(this.text, this.actions, this.place);
  }

  // The frame that is shown; empty where it is none.
  get frameName(): string {
    return this.name;
  }

  // `lacks`: what the graph cannot show of the profile.
  show(tree: Tree, node: Node, unit: string, lacks: Lacks = NOTHING): void {
    this.name = node.frame ? node.name : "";
    this.actions.hidden = !node.frame;
    const about = node.frame ? aboutFrame(node) : aboutRoot(lacks);
    this.text.replaceChildren(
      h("div", { class: "title" }, node.frame ? node.name : "All stacks", ...badges(node)),
      h("div", { class: "numbers" }, ...numbers(tree, node, unit)),
    );
    this.place.textContent = about;
    this.place.title = about;
  }
}

function badges(node: Node): HTMLElement[] {
  const kind = kindOf(node.name);
  const marks: string[] = [];
  if (node.note?.inlined) marks.push("inlined");
  if (node.frame && (kind === "module" || kind === "unknown")) marks.push("no symbol");
  if (node.frame && kind === "truncated") marks.push("stack cut off");
  return marks.map((mark) => h("span", { class: "badge" }, mark));
}

// What is known of a frame: why it has no name, else where it is.
function aboutFrame({ name, note }: Node): string {
  const explanation = explainFrame(name, note?.module).text;
  const parts: string[] = explanation ? [explanation] : [];
  if (!note) return parts.join("");
  if (note.file) parts.push(note.line > 0 ? `${note.file}:${note.line}` : note.file);
  if (note.module) parts.push(note.module);
  if (note.buildId) parts.push(`build id ${note.buildId}`);
  return parts.join(" · ");
}

// What is not to be seen: without a name, cut off, folded by the store, too narrow; how to go on.
function aboutRoot({ gaps: { truncated, unnamed, folded }, hidden }: Lacks): string {
  const gaps = [
    unnamed > 0 ? `${formatShare(unnamed)} without a symbol` : "",
    truncated > 0 ? `${formatShare(truncated)} in stacks that are cut off` : "",
    folded > 0 ? `${formatShare(folded)} folded by the store into “other”` : "",
  ].filter((gap) => gap !== "");
  const parts = [
    gaps.length > 0 ? `${gaps.join(", ")}: hatched frames say why.` : "Click a frame to zoom.",
    hidden > 0 ? `${formatValue(hidden, "count")} branches are too narrow to draw: zoom.` : "",
    gaps.length === 0 || hidden === 0 ? "Press ? for the keyboard." : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function numbers(tree: Tree, node: Node, unit: string): HTMLElement[] {
  const number = (label: string, value: string): HTMLElement =>
    h("span", {}, h("b", {}, value), ` ${label}`);
  const parent = node.parent ? weight(tree, node.parent) || 1 : 1;
  if (tree.diff) {
    return [
      number("B now", formatValue(node.total, unit)),
      number("A baseline", formatValue(node.baseTotal, unit)),
      ...(node.frame ? [number("", changeMark(changeOf(tree, node)))] : []),
    ];
  }
  return [
    number("total", formatValue(node.total, unit)),
    number("of all", formatShare(shareOf(tree, node))),
    number("self", formatValue(node.self, unit)),
    ...(node.parent ? [number("of its parent", formatShare(weight(tree, node) / parent))] : []),
  ];
}

// One sentence of a node for a screen reader.
export function describeNode(tree: Tree, node: Node, unit: string): string {
  const share = formatShare(shareOf(tree, node));
  const parts = [node.frame ? node.name || "unnamed" : "all stacks"];
  if (tree.diff) parts.push(changeMark(changeOf(tree, node)));
  else
    parts.push(
      `${share} of all, ${formatValue(node.total, unit)}, self ${formatValue(node.self, unit)}`,
    );
  if (node.note?.inlined) parts.push("inlined");
  if (node.frame) parts.push(explainFrame(node.name, node.note?.module).text);
  return parts.filter((part) => part !== "").join(", ");
}
