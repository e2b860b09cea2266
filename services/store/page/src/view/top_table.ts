// The table of functions. Rows beyond the first hundreds come on demand.

import { changeMark, changeOf } from "../model/diff";
import { kindOf } from "../model/frame_kind";
import { baseName } from "../model/pprof";
import type { Matcher } from "../model/search";
import { sortTop, topTable, type TopColumn, type TopRow } from "../model/top";
import type { Tree } from "../model/tree";
import { formatShare, formatValue } from "../model/units";
import { button, h, refill } from "./dom";

// `self`, or `-self` for the smallest first; empty for the usual order.
export type SortText = string;

export interface TopEvents {
  // A function was chosen: find it in the flame graph.
  find: (name: string) => void;
  sandwich: (name: string) => void;
  sort: (order: SortText) => void;
}

const PAGE = 200;
const COLUMNS: TopColumn[] = ["name", "self", "total", "delta"];

export class TopTable {
  readonly element: HTMLElement;
  private readonly head = h("tr", {});
  private readonly body = h("tbody", {});
  private readonly more = h("div", { class: "paging" });
  private tree: Tree | null = null;
  private rows: TopRow[] = [];
  private unit = "";
  private matches: Matcher | null = null;
  private column: TopColumn = "self";
  private descending = true;
  private order: SortText = "";
  private limit = PAGE;

  constructor(private readonly events: TopEvents) {
    this.element = h(
      "div",
      { class: "top", tabindex: 0, role: "region", "aria-label": "Functions" },
      h("table", {}, h("thead", {}, this.head), this.body),
      this.more,
    );
    this.body.addEventListener("keydown", (e) => this.move(e));
  }

  show(tree: Tree, unit: string, matches: Matcher | null, order: SortText): void {
    const shown = tree === this.tree && unit === this.unit && matches === this.matches;
    if (shown && order === this.order) return;
    if (tree !== this.tree) this.rows = topTable(tree);
    const ordered = tree === this.tree && order === this.order;
    this.order = order;
    this.tree = tree;
    if (!ordered) this.sort(order, tree);
    this.unit = unit;
    this.matches = matches;
    this.render();
  }

  focus(): void {
    const first = this.body.querySelector<HTMLElement>("button");
    (first ?? this.element).focus();
  }

  private sort(order: SortText, tree: Tree): void {
    const column = order.replace(/^-/, "") as TopColumn;
    const known = COLUMNS.includes(column) && (tree.diff || column !== "delta");
    this.column = known ? column : tree.diff ? "delta" : "self";
    this.descending = !(known && order.startsWith("-"));
    sortTop(this.rows, this.column, this.descending, (row) => changeOf(tree, row).delta);
  }

  // The same button of the row above or below.
  private move(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const cell = (event.target as Element).closest("tr");
    if (step === 0 || !cell) return;
    const next = step > 0 ? cell.nextElementSibling : cell.previousElementSibling;
    const kind = (event.target as Element).classList.contains("sandwich") ? "sandwich" : "frame";
    next?.querySelector<HTMLElement>(`button.${kind}`)?.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  // The function with the largest self value.
  get hottest(): string {
    const named = this.rows.filter((row) => kindOf(row.name) === "function");
    return named.reduce((best, row) => (row.self > best.self ? row : best), named[0])?.name ?? "";
  }

  private render(): void {
    const tree = this.tree!;
    this.element.classList.toggle("diff", tree.diff);
    const shown = this.matches ? this.rows.filter((row) => this.matches!(row.name)) : this.rows;
    refill(
      this.head,
      this.header("Function", "name"),
      this.header("Self", "self"),
      this.header("Total", "total"),
      ...(tree.diff ? [this.header("Change", "delta")] : []),
    );
    refill(this.body, ...shown.slice(0, this.limit).map((row) => this.row(tree, row)));
    const left = shown.length - this.limit;
    const showMore = (): void => {
      this.limit += PAGE * 5;
      this.render();
    };
    refill(
      this.more,
      left > 0
        ? button(`Show more (${left} left)`, showMore)
        : h("span", {}, shown.length === 0 ? "No function matches the search." : ""),
    );
  }

  private header(title: string, column: TopColumn): HTMLElement {
    const active = this.column === column;
    const order = this.descending ? "descending" : "ascending";
    const sort = (): void => this.events.sort(active && this.descending ? `-${column}` : column);
    const mark = active ? (this.descending ? " ▾" : " ▴") : "";
    return h(
      "th",
      { scope: "col", "aria-sort": active ? order : "none", class: column },
      button(title + mark, sort, { "data-key": column }),
    );
  }

  private row(tree: Tree, row: TopRow): HTMLElement {
    const kind = kindOf(row.name);
    const name = row.name || "(no name)";
    return h(
      "tr",
      {},
      h(
        "td",
        { class: "name" },
        h(
          "div",
          { class: "cell" },
          button(name, () => this.events.find(row.name), {
            class: `frame ${kind}`,
            title: name,
          }),
          h("span", { class: "where" }, placeOf(row)),
          button("⇅", () => this.events.sandwich(row.name), {
            class: "sandwich",
            "data-key": `sandwich ${name}`,
            title: "Sandwich",
            "aria-label": `Sandwich of ${name}`,
          }),
        ),
      ),
      this.valueCell(tree, "self", row.self, row.baseSelf),
      this.valueCell(tree, "total", row.total, row.baseTotal),
      tree.diff ? changeCell(tree, row) : null,
    );
  }

  private valueCell(tree: Tree, column: string, value: number, base: number): HTMLElement {
    const share = value / (tree.whole.total || 1);
    const cell = h(
      "td",
      { class: `value ${column}` },
      h("span", { class: "amount" }, formatValue(value, this.unit)),
      h(
        "span",
        { class: "share" },
        tree.diff ? `was ${formatValue(base, this.unit)}` : formatShare(share),
      ),
    );
    cell.style.setProperty("--share", String(Math.min(share, 1)));
    return cell;
  }
}

function changeCell(tree: Tree, row: TopRow): HTMLElement {
  const change = changeOf(tree, row);
  const side = change.kind === "same" ? "" : change.delta > 0 ? "more" : "less";
  return h("td", { class: `change ${side}` }, changeMark(change));
}

// Where a function is, in short: the table has room for it only when it is wide.
function placeOf({ note }: TopRow): string {
  if (!note) return "";
  const file = note.file === "" ? "" : baseName(note.file);
  const line = note.line > 0 && file !== "" ? `:${note.line}` : "";
  return [file + line, baseName(note.module)].filter((part) => part !== "").join(" · ");
}
