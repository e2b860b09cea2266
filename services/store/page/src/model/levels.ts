// Pyroscope's flame graph encoding: one list per depth of quadruples {offset from the end of the
// node to the left, total, self, index into names}. 64-bit numbers arrive as strings in JSON.

import { makeNode, type Node } from "./tree";

export interface FlameGraphMessage {
  names?: string[];
  levels?: Array<{ values?: Array<string | number> }>;
  total?: string | number;
}

const FIELDS = 4;

interface Placed {
  node: Node;
  start: number;
  end: number;
}

// The tree of a flame graph. An absent or empty message gives a root without value. A message whose
// numbers do not fit together throws: a wrong graph would be worse than none.
export function decodeFlameGraph(message: FlameGraphMessage | undefined): Node {
  const names = message?.names ?? [];
  let above: Placed[] = [];
  let root: Node | null = null;
  for (const level of message?.levels ?? []) {
    const placed = decodeLevel(level.values ?? [], names, above);
    if (!root && placed.length > 0) root = placed[0].node;
    above = placed;
  }
  return root ?? makeNode("total", null);
}

function decodeLevel(values: Array<string | number>, names: string[], above: Placed[]): Placed[] {
  if (values.length % FIELDS !== 0) {
    throw new Error(`flame graph level has ${values.length} numbers, not a multiple of ${FIELDS}`);
  }
  const placed: Placed[] = [];
  let x = 0;
  let parent = 0;
  for (let i = 0; i < values.length; i += FIELDS) {
    const start = x + Number(values[i]);
    const total = Number(values[i + 1]);
    while (parent < above.length && above[parent].end <= start) parent++;
    const owner = above.length > 0 ? ownerOf(above[parent], start, total) : null;
    const node = makeNode(nameAt(names, Number(values[i + 3])), owner);
    node.total = total;
    node.self = Number(values[i + 2]);
    placed.push({ node, start, end: start + total });
    x = start + total;
  }
  return placed;
}

function ownerOf(candidate: Placed | undefined, start: number, total: number): Node {
  if (!candidate || start < candidate.start || start + total > candidate.end) {
    throw new Error(`flame graph node at ${start} lies outside every node above it`);
  }
  return candidate.node;
}

function nameAt(names: string[], index: number): string {
  if (!(index >= 0 && index < names.length)) {
    throw new Error(`flame graph names ${names.length} functions, a node wants number ${index}`);
  }
  return names[index];
}
