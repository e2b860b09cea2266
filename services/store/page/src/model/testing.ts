// Trees for tests, written as folded stacks.

import { ChildIndex, makeNode, preorder, recomputeTotals, sortByName, type Node } from "./tree";

// A tree of lines such as `main;work;hot 70`.
export function treeOf(...lines: string[]): Node {
  const root = makeNode("total", null);
  const index = new ChildIndex();
  for (const line of lines) {
    const [, stack, value] = /^(.*) (\d+)$/.exec(line)!;
    let node = root;
    for (const name of stack.split(";")) node = index.findOrAdd(node, name);
    node.self += Number(value);
  }
  recomputeTotals(root);
  sortByName(root);
  return root;
}

// The tree as lines `path total/self`, parents first.
export function show(root: Node): string[] {
  const pathOf = (node: Node): string =>
    node.parent && node !== root ? `${pathOf(node.parent)};${node.name}` : node.name;
  return preorder(root).map((node) => `${pathOf(node)} ${node.total}/${node.self}`);
}

export function nodeAt(root: Node, path: string): Node {
  let node = root;
  for (const name of path.split(";")) {
    const child = node.children.find((c) => c.name === name);
    if (!child) throw new Error(`${node.name} has no child ${name}`);
    node = child;
  }
  return node;
}
