// Folded stacks: one line `root;…;leaf value` for each stack that ends in a frame.

import { pathTo, preorder, type Node } from "./tree";

export function toFolded(root: Node): string {
  const lines: string[] = [];
  for (const node of preorder(root)) {
    if (node.self <= 0 || !node.parent) continue;
    const names = pathTo(node)
      .slice(1)
      .map((n) => n.name.replace(/[;\n]/g, ":"));
    lines.push(`${names.join(";")} ${node.self}`);
  }
  return lines.join("\n") + (lines.length > 0 ? "\n" : "");
}
