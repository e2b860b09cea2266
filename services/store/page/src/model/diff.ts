// Two profiles in one tree: `base` is what one compares with, `current` what is looked at.

import { ChildIndex, makeNode, recomputeTotals, sortByName, type Node, type Tree } from "./tree";

// Merges both trees by name. With `normalise` each side weighs the same whatever its sum, so that
// a longer range or a busier host does not look like a regression.
export function diffTree(base: Node, current: Node, normalise: boolean, grouped = false): Tree {
  const root = makeNode(current.name, null);
  const index = new ChildIndex();
  add(index, base, root, (to, from) => {
    to.baseSelf += from.self;
  });
  add(index, current, root, (to, from) => {
    to.self += from.self;
  });
  recomputeTotals(root);
  sortByName(root);
  const scale = normalise
    ? { current: inverse(root.total), base: inverse(root.baseTotal) }
    : { current: 1, base: 1 };
  const whole = { total: root.total, baseTotal: root.baseTotal };
  return { root, whole, diff: true, grouped, scale };
}

function inverse(total: number): number {
  return total > 0 ? 1 / total : 0;
}

function add(
  index: ChildIndex,
  from: Node,
  to: Node,
  addSelf: (to: Node, from: Node) => void,
): void {
  const work: Array<[Node, Node]> = [[from, to]];
  while (work.length > 0) {
    const [source, target] = work.pop()!;
    addSelf(target, source);
    if (!target.note || (target.note.inlined && source.note)) target.note = source.note;
    for (const child of source.children) work.push([child, index.findOrAdd(target, child.name)]);
  }
}

export interface Sides {
  total: number;
  baseTotal: number;
}

export interface Change {
  kind: "new" | "gone" | "more" | "less" | "same";
  // Share of the current side minus share of the baseline, in -1..1 (normalised), or the
  // difference as a share of the larger side's sum (absolute).
  delta: number;
}

// Differences below a tenth of a percentage point are drawn as none.
const SAME_BELOW = 0.001;

// How `node` differs between the sides of `tree`.
export function changeOf(tree: Tree, node: Sides): Change {
  const { whole } = tree;
  const normalised = tree.scale.base !== 1 || tree.scale.current !== 1;
  const sum = Math.max(whole.total, whole.baseTotal, 1);
  const now = normalised ? share(node.total, whole.total) : node.total / sum;
  const before = normalised ? share(node.baseTotal, whole.baseTotal) : node.baseTotal / sum;
  const delta = now - before;
  if (before === 0 && now > 0) return { kind: "new", delta };
  if (now === 0 && before > 0) return { kind: "gone", delta };
  if (Math.abs(delta) < SAME_BELOW) return { kind: "same", delta };
  return { kind: delta > 0 ? "more" : "less", delta };
}

function share(value: number, total: number): number {
  return total > 0 ? value / total : 0;
}

const SIGNS = { new: "+", gone: "×", more: "▲", less: "▼", same: "=" };

// The mark alone, for where there is no room for the amount.
export function changeSign(change: Change): string {
  return SIGNS[change.kind];
}

// The text mark of a change: colour alone must not carry the message.
export function changeMark(change: Change): string {
  const points = `${(Math.abs(change.delta) * 100).toFixed(1)} pp`;
  switch (change.kind) {
    case "new":
      return `new +${points}`;
    case "gone":
      return `gone −${points}`;
    case "more":
      return `▲ +${points}`;
    case "less":
      return `▼ −${points}`;
    case "same":
      return "=";
  }
}
