// Transformations of a call tree. Each makes a new tree and leaves its input as it was.

import { ChildIndex, makeNode, preorder, recomputeTotals, sortByName, type Node } from "./tree";

function addSelf(to: Node, from: Node): void {
  to.self += from.self;
  to.baseSelf += from.baseSelf;
  if (!to.note) to.note = from.note;
}

// Copies what is below `from` to below `to`. `place` returns the node that takes a child's values
// and children, or null to leave that subtree out.
function copyBelow(from: Node, to: Node, place: (child: Node, parent: Node) => Node | null): void {
  const work: Array<[Node, Node]> = [[from, to]];
  while (work.length > 0) {
    const [source, target] = work.pop()!;
    for (const child of source.children) {
      const placed = place(child, target);
      if (!placed) continue;
      addSelf(placed, child);
      work.push([child, placed]);
    }
  }
}

// Totals, the order of siblings, and no node that is left without value.
function finish(root: Node): Node {
  recomputeTotals(root);
  for (const node of preorder(root)) {
    node.children = node.children.filter((child) => child.total > 0 || child.baseTotal > 0);
  }
  sortByName(root);
  return root;
}

// Only the stacks that pass through a function called `name`, whole.
export function focusOn(root: Node, name: string): Node {
  const nodes = preorder(root);
  const keeps = new Set<Node>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (node.name === name || node.children.some((child) => keeps.has(child))) keeps.add(node);
  }
  const result = makeNode(root.name, null);
  const index = new ChildIndex();
  const inside = new Set<Node>();
  const work: Array<[Node, Node]> = [[root, result]];
  while (work.length > 0) {
    const [source, target] = work.pop()!;
    for (const child of source.children) {
      const within = inside.has(source) || child.name === name;
      if (!within && !keeps.has(child)) continue;
      if (within) inside.add(child);
      const placed = index.findOrAdd(target, child.name);
      if (within) addSelf(placed, child);
      else if (!placed.note) placed.note = child.note;
      work.push([child, placed]);
    }
  }
  return finish(result);
}

// Without the stacks that pass through a function called `name`.
export function ignore(root: Node, name: string): Node {
  const result = makeNode(root.name, null);
  addSelf(result, root);
  const index = new ChildIndex();
  copyBelow(root, result, (child, parent) =>
    child.name === name ? null : index.findOrAdd(parent, child.name),
  );
  return finish(result);
}

// A function that calls itself directly becomes one frame.
export function collapseRecursion(root: Node): Node {
  const result = makeNode(root.name, null);
  addSelf(result, root);
  const index = new ChildIndex();
  copyBelow(root, result, (child, parent) =>
    child.name === parent.name && parent.parent ? parent : index.findOrAdd(parent, child.name),
  );
  return finish(result);
}

// The functions at the end of stacks become the first level, their callers the next ones.
export function invert(root: Node): Node {
  const result = makeNode(root.name, null);
  const index = new ChildIndex();
  addSelf(result, root);
  for (const node of preorder(root)) {
    if (node === root) continue;
    if (node.self === 0 && node.baseSelf === 0) continue;
    let target = result;
    for (let n = node; n !== root; n = n.parent!) {
      target = index.findOrAdd(target, n.name);
      if (!target.note) target.note = n.note;
    }
    target.self += node.self;
    target.baseSelf += node.baseSelf;
  }
  return finish(result);
}

// As `invert`, within each child of the root: for trees that are split by a label.
export function invertGroups(root: Node): Node {
  const result = makeNode(root.name, null);
  addSelf(result, root);
  for (const group of root.children) {
    const inverted = invert(group);
    inverted.parent = result;
    result.children.push(inverted);
  }
  recomputeTotals(result);
  return result;
}
