// A merged call tree: what every view of a profile is drawn from.

// What the pprof says about a frame beyond its name.
export interface FrameNote {
  file: string;
  line: number;
  // The binary the address lies in, and its build id; empty where the profile has none.
  module: string;
  buildId: string;
  // The compiler put the function into its caller's code; it has no frame of its own.
  inlined: boolean;
}

export interface Node {
  name: string;
  // Has a place in stacks, as a function or a label value; the root of a whole profile has none.
  frame: boolean;
  parent: Node | null;
  children: Node[];
  // The value of all stacks through this node, and of those that end in it.
  total: number;
  self: number;
  // The same of the baseline; 0 outside a diff.
  baseTotal: number;
  baseSelf: number;
  note: FrameNote | null;
}

// A tree, what its shares are shares of, and how much one unit of either side weighs in widths.
export interface Tree {
  root: Node;
  // The sums of the whole profile, also where the root is only a part of it.
  whole: { total: number; baseTotal: number };
  diff: boolean;
  // The root's children are values of a label, not functions.
  grouped: boolean;
  // Outside a diff `base` is 0.
  scale: { current: number; base: number };
}

export function makeNode(name: string, parent: Node | null, frame = parent !== null): Node {
  const node: Node = {
    name,
    frame,
    parent,
    children: [],
    total: 0,
    self: 0,
    baseTotal: 0,
    baseSelf: 0,
    note: null,
  };
  if (parent) parent.children.push(node);
  return node;
}

export function singleTree(root: Node, grouped = false): Tree {
  const whole = { total: root.total, baseTotal: 0 };
  return { root, whole, diff: false, grouped, scale: { current: 1, base: 0 } };
}

// A part or a transformation of `tree`; shares stay those of the whole profile.
export function withRoot(tree: Tree, root: Node): Tree {
  return { ...tree, root };
}

export function weight(tree: Tree, node: Node): number {
  return node.total * tree.scale.current + node.baseTotal * tree.scale.base;
}

// The weight of a node as a share of the whole profile, in 0..1.
export function shareOf(tree: Tree, node: Node): number {
  const { whole, scale } = tree;
  const sum = whole.total * scale.current + whole.baseTotal * scale.base;
  return sum > 0 ? weight(tree, node) / sum : 0;
}

// Calls `visit` for each node, parents before children, without recursion: stacks may be deep.
export function walk(root: Node, visit: (node: Node, depth: number) => void): void {
  const stack: Array<[Node, number]> = [[root, 0]];
  while (stack.length > 0) {
    const [node, depth] = stack.pop()!;
    visit(node, depth);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push([node.children[i], depth + 1]);
  }
}

// All nodes, parents before children; reversed it is an order in which children come first.
export function preorder(root: Node): Node[] {
  const nodes: Node[] = [];
  walk(root, (node) => nodes.push(node));
  return nodes;
}

// Sets each total to its self value plus its children's totals.
export function recomputeTotals(root: Node): void {
  const nodes = preorder(root);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    node.total = node.self;
    node.baseTotal = node.baseSelf;
    for (const child of node.children) {
      node.total += child.total;
      node.baseTotal += child.baseTotal;
    }
  }
}

// Orders siblings by name, so that a refreshed graph keeps its places.
export function sortByName(root: Node): void {
  walk(root, (node) => {
    node.children.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  });
}

// The nodes from the root down to `node`.
export function pathTo(node: Node): Node[] {
  const path: Node[] = [];
  for (let n: Node | null = node; n; n = n.parent) path.push(n);
  return path.reverse();
}

export function depthOf(node: Node): number {
  let depth = 0;
  for (let n = node.parent; n; n = n.parent) depth++;
  return depth;
}

// Up to so many children are looked through one by one, which is faster than a map of them.
const FEW_CHILDREN = 8;

// The child of a given name, found in constant time however many siblings there are. Creates
// nodes on demand: the one way in which trees are put together from stacks or other trees.
export class ChildIndex {
  private readonly maps = new Map<Node, Map<string, Node>>();

  find(parent: Node, name: string): Node | undefined {
    const { children } = parent;
    if (children.length > FEW_CHILDREN) return this.mapOf(parent).get(name);
    for (const child of children) if (child.name === name) return child;
    return undefined;
  }

  findOrAdd(parent: Node, name: string): Node {
    let child = this.find(parent, name);
    if (!child) {
      child = makeNode(name, parent);
      this.maps.get(parent)?.set(name, child);
    }
    return child;
  }

  private mapOf(parent: Node): Map<string, Node> {
    let map = this.maps.get(parent);
    if (!map) {
      map = new Map(parent.children.map((child) => [child.name, child]));
      this.maps.set(parent, map);
    }
    return map;
  }
}
