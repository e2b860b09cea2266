// Lays what the pprof knows (file, line, module, inlining) over the tree of the flame graph.

import type { Pprof, PprofFrame } from "./pprof";
import { ChildIndex, type Node } from "./tree";

// Follows each stack of `pprof` from the root by name and notes its frames. A stack that the tree
// does not have, for instance below a folded `other`, is noted as far as it goes. Returns how many
// nodes have a note.
export function annotate(root: Node, pprof: Pprof): number {
  const index = new ChildIndex();
  let noted = 0;
  for (const stack of pprof.stacks) {
    let node: Node | undefined = root;
    for (let i = stack.length - 1; i >= 0 && node; i--) {
      for (const frame of pprof.framesOf(stack[i])) {
        node = twinOf(index, node!, frame);
        if (!node) break;
        if (note(node, frame)) noted++;
      }
    }
  }
  return noted;
}

function twinOf(index: ChildIndex, parent: Node, frame: PprofFrame): Node | undefined {
  const twin = index.find(parent, frame.name);
  return twin || frame.withAddress === "" ? twin : index.find(parent, frame.withAddress);
}

function note(node: Node, frame: PprofFrame): boolean {
  const first = node.note === null;
  node.note = { ...frame.note };
  return first;
}

// Gives `to` the notes of an earlier tree, so that a refreshed graph does not lose them while the
// new pprof is on its way. Returns the share of `to` that has its notes, in 0..1 of its value.
export function carryNotes(from: Node, to: Node): number {
  const index = new ChildIndex();
  let noted = 0;
  const work: Array<[Node, Node]> = [[from, to]];
  while (work.length > 0) {
    const [source, target] = work.pop()!;
    target.note = source.note;
    if (source.note) noted += target.self;
    if (source.children.length === 0) continue;
    for (const child of target.children) {
      const twin = index.find(source, child.name);
      if (twin) work.push([twin, child]);
    }
  }
  return to.total > 0 ? noted / to.total : 0;
}
