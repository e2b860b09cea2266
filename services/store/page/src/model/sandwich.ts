// One function with all its callers above and all its callees below, over every place it occurs.

import { ChildIndex, makeNode, preorder, recomputeTotals, sortByName, type Node } from "./tree";

export interface Sandwich {
  // Root: the function. Children of a node are its callers.
  callers: Node;
  // Root: the function. Children of a node are its callees.
  callees: Node;
}

// The outermost nodes called `name`: in a recursion only the first counts, so sums are exact.
export function outermost(root: Node, name: string): Node[] {
  const found: Node[] = [];
  const work: Node[] = [root];
  while (work.length > 0) {
    const node = work.pop()!;
    if (node.name === name && node.parent) found.push(node);
    else work.push(...node.children);
  }
  return found;
}

export function sandwich(root: Node, name: string): Sandwich {
  const callers = makeNode(name, null, true);
  const callees = makeNode(name, null, true);
  const callerIndex = new ChildIndex();
  const calleeIndex = new ChildIndex();
  for (const node of outermost(root, name)) {
    addCallers(callerIndex, callers, node);
    addCallees(calleeIndex, callees, node);
  }
  for (const side of [callers, callees]) {
    recomputeTotals(side);
    sortByName(side);
  }
  return { callers, callees };
}

function addCallers(index: ChildIndex, target: Node, node: Node): void {
  if (!target.note) target.note = node.note;
  let at = target;
  for (let n = node.parent; n && n.parent; n = n.parent) {
    at = index.findOrAdd(at, n.name);
    if (!at.note) at.note = n.note;
  }
  at.self += node.total;
  at.baseSelf += node.baseTotal;
}

function addCallees(index: ChildIndex, target: Node, node: Node): void {
  const twin = new Map<Node, Node>([[node, target]]);
  for (const source of preorder(node)) {
    const to = twin.get(source) ?? index.findOrAdd(twin.get(source.parent!)!, source.name);
    twin.set(source, to);
    to.self += source.self;
    to.baseSelf += source.baseSelf;
    if (!to.note) to.note = source.note;
  }
}
