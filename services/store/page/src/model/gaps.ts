// How much of a profile is not named or not whole, so that nobody takes what is drawn for all.

import { kindOf } from "./frame_kind";
import { preorder, shareOf, weight, type Node, type Tree } from "./tree";

export interface Gaps {
  // Shares of the whole, in 0..1: of stacks that are cut off, of values in frames without a symbol,
  // and of what the store folded into `other`.
  truncated: number;
  unnamed: number;
  folded: number;
}

const cache = new WeakMap<Node, Gaps>();

export function gapsOf(tree: Tree): Gaps {
  let gaps = cache.get(tree.root);
  if (!gaps) cache.set(tree.root, (gaps = measure(tree)));
  return gaps;
}

function measure(tree: Tree): Gaps {
  const gaps: Gaps = { truncated: 0, unnamed: 0, folded: 0 };
  const whole = shareOf(tree, tree.root) / (weight(tree, tree.root) || 1);
  for (const node of preorder(tree.root)) {
    if (!node.frame) continue;
    const kind = kindOf(node.name);
    if (kind === "truncated") gaps.truncated += shareOf(tree, node);
    if (kind === "other" && node.children.length === 0) gaps.folded += shareOf(tree, node);
    if (kind !== "module" && kind !== "unknown") continue;
    const { current, base } = tree.scale;
    gaps.unnamed += (node.self * current + node.baseSelf * base) * whole;
  }
  return gaps;
}
