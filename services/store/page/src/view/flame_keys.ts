// Where the arrow keys go in a flame graph: only to boxes that are drawn.

import { boxOf, type Box, type Layout } from "../model/layout";
import { depthOf, type Node } from "../model/tree";

function drawnChildren(layout: Layout, node: Node, depth: number): Box[] {
  return (layout.rows[depth + 1] ?? []).filter((box) => box.node.parent === node);
}

// The node that `key` leads to from `node`, or null. Left and right go along the row.
export function neighbour(layout: Layout, node: Node, key: string, upward: boolean): Node | null {
  const depth = depthOf(node);
  const toChild = upward ? "ArrowUp" : "ArrowDown";
  const toParent = upward ? "ArrowDown" : "ArrowUp";
  if (key === "Home") return layout.rows[0]?.[0]?.node ?? null;
  if (key === toParent) return node.parent;
  if (key === toChild) return widest(drawnChildren(layout, node, depth));
  if (key !== "ArrowLeft" && key !== "ArrowRight") return null;
  const row = layout.rows[depth] ?? [];
  const at = row.findIndex((box) => box.node === node);
  if (at < 0) return boxOf(layout, node) ? node : (node.parent ?? null);
  return row[at + (key === "ArrowRight" ? 1 : -1)]?.node ?? null;
}

function widest(boxes: Box[]): Node | null {
  let best: Box | null = null;
  for (const box of boxes) if (!best || box.width > best.width) best = box;
  return best?.node ?? null;
}
