// The table of functions: how much each has itself and with what it calls.

import type { FrameNote, Node, Tree } from "./tree";

export interface TopRow {
  name: string;
  self: number;
  // A function that occurs twice in one stack counts once.
  total: number;
  baseSelf: number;
  baseTotal: number;
  note: FrameNote | null;
}

export function topTable({ root, grouped }: Tree): TopRow[] {
  const rows = new Map<string, TopRow>();
  const open = new Map<string, number>();
  const work: Array<{ node: Node; leave: boolean }> = [];
  const first = grouped ? root.children.flatMap((group) => group.children) : root.children;
  for (const node of first) work.push({ node, leave: false });
  while (work.length > 0) {
    const { node, leave } = work.pop()!;
    const nesting = open.get(node.name) ?? 0;
    if (leave) {
      open.set(node.name, nesting - 1);
      continue;
    }
    addTo(rowOf(rows, node), node, nesting === 0);
    open.set(node.name, nesting + 1);
    work.push({ node, leave: true });
    for (const child of node.children) work.push({ node: child, leave: false });
  }
  return [...rows.values()];
}

function rowOf(rows: Map<string, TopRow>, node: Node): TopRow {
  let row = rows.get(node.name);
  if (!row) {
    const { name, note } = node;
    row = { name, self: 0, total: 0, baseSelf: 0, baseTotal: 0, note };
    rows.set(name, row);
  }
  return row;
}

function addTo(row: TopRow, node: Node, outermost: boolean): void {
  row.self += node.self;
  row.baseSelf += node.baseSelf;
  if (!row.note) row.note = node.note;
  if (!outermost) return;
  row.total += node.total;
  row.baseTotal += node.baseTotal;
}

export type TopColumn = "name" | "self" | "total" | "delta";

// Orders rows in place, largest first (names from A); equal ones by name.
export function sortTop(
  rows: TopRow[],
  column: TopColumn,
  descending: boolean,
  delta: (row: TopRow) => number,
): TopRow[] {
  const key = (row: TopRow): number =>
    column === "self"
      ? row.self + row.baseSelf
      : column === "total"
        ? row.total + row.baseTotal
        : Math.abs(delta(row));
  const byName = (a: TopRow, b: TopRow): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) =>
    column === "name" ? sign * -byName(a, b) : sign * (key(a) - key(b)) || byName(a, b),
  );
}
