// Where each node of a tree is drawn: boxes by row, for one width and one zoomed node. Pure, so
// that drawing and hit-testing share it and it can be tested without a canvas.

import { pathTo, weight, type Node, type Tree } from "./tree";

export interface Box {
  node: Node;
  x: number;
  width: number;
  // An ancestor of the zoomed node: drawn over the full width.
  above: boolean;
}

export interface Layout {
  // Row 0 is the root; boxes of a row are ordered by x and do not overlap.
  rows: Box[][];
  // How many nodes had a place in these rows and were too narrow for it.
  hidden: number;
}

// Nodes narrower than this many pixels are left out with all below them.
const MIN_WIDTH = 0.7;

export function layoutBoxes(tree: Tree, zoom: Node, width: number): Layout {
  const rows: Box[][] = [];
  const path = pathTo(zoom);
  path.forEach((node, depth) => {
    rows[depth] = [{ node, x: 0, width, above: depth < path.length - 1 }];
  });
  let hidden = 0;
  for (let depth = path.length - 1; depth < rows.length; depth++) {
    const next: Box[] = [];
    for (const box of rows[depth]) hidden += placeChildren(tree, box, next);
    if (next.length > 0) rows[depth + 1] = next;
  }
  return { rows, hidden };
}

// Appends the boxes of `box`'s children to `row` and returns how many were too narrow.
function placeChildren(tree: Tree, box: Box, row: Box[]): number {
  const whole = weight(tree, box.node);
  if (whole <= 0) return 0;
  let x = box.x;
  let hidden = 0;
  for (const child of box.node.children) {
    const width = (weight(tree, child) / whole) * box.width;
    if (width >= MIN_WIDTH) row.push({ node: child, x, width, above: false });
    else hidden++;
    x += width;
  }
  return hidden;
}

// The box under `x` in a row, or null.
export function boxAt(row: Box[] | undefined, x: number): Box | null {
  if (!row) return null;
  let low = 0;
  let high = row.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const box = row[middle];
    if (x < box.x) high = middle - 1;
    else if (x >= box.x + box.width) low = middle + 1;
    else return box;
  }
  return null;
}

// The box of `node`, or null where it is too narrow to be drawn.
export function boxOf(layout: Layout, node: Node): Box | null {
  for (const row of layout.rows) {
    for (const box of row) if (box.node === node) return box;
  }
  return null;
}
