// A short name of a node's place in its tree, so that a link keeps the zoom across refreshes.

import type { Node } from "./tree";

const SEED = 0x811c9dc5;

// FNV-1a over the names from the root down, separated by a byte that no UTF-8 text holds.
function extend(hash: number, name: string): number {
  let h = hash;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return Math.imul(h ^ 0xff, 0x01000193) >>> 0;
}

export function pathKey(node: Node): string {
  const names: string[] = [];
  let depth = 0;
  for (let n: Node | null = node; n && n.parent; n = n.parent, depth++) names.push(n.name);
  if (depth === 0) return "";
  const hash = names.reverse().reduce(extend, SEED);
  return `${depth}.${hash.toString(36)}`;
}

// The node a key names, or the root where the tree has none.
export function findByKey(root: Node, key: string): Node {
  const [depthText, hashText] = key.split(".");
  const wantedDepth = Number(depthText);
  const wanted = parseInt(hashText ?? "", 36);
  if (!(wantedDepth > 0) || Number.isNaN(wanted)) return root;
  let level: Array<[Node, number]> = [[root, SEED]];
  for (let depth = 0; depth < wantedDepth; depth++) {
    level = level.flatMap(([node, hash]) =>
      node.children.map((child): [Node, number] => [child, extend(hash, child.name)]),
    );
  }
  return level.find(([, hash]) => hash === wanted)?.[0] ?? root;
}
