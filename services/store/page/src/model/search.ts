// Search for functions by name: a part of it in any case, "…" for the whole name, /…/ for a
// regular expression.

import { shareOf, walk, weight, type Node, type Tree } from "./tree";

export type Matcher = (name: string) => boolean;

export interface Query {
  // Null where there is nothing to search for.
  matches: Matcher | null;
  // What is wrong with the expression, else empty.
  error: string;
}

export function parseQuery(text: string): Query {
  const query = parse(text);
  return query.matches ? { ...query, matches: remembering(query.matches) } : query;
}

// Many nodes have the same name, and drawing asks again and again.
function remembering(matches: Matcher): Matcher {
  const verdicts = new Map<string, boolean>();
  return (name) => {
    let verdict = verdicts.get(name);
    if (verdict === undefined) verdicts.set(name, (verdict = matches(name)));
    return verdict;
  };
}

function parse(text: string): Query {
  const trimmed = text.trim();
  if (trimmed === "") return { matches: null, error: "" };
  const exact = /^"(.+)"$/.exec(trimmed);
  if (exact) return { matches: (name) => name === exact[1], error: "" };
  const expression = /^\/(.+)\/$/.exec(trimmed);
  if (!expression) {
    const part = trimmed.toLowerCase();
    return { matches: (name) => name.toLowerCase().includes(part), error: "" };
  }
  try {
    const regex = new RegExp(expression[1], "i");
    return { matches: (name) => regex.test(name), error: "" };
  } catch (e) {
    return { matches: null, error: e instanceof Error ? e.message : String(e) };
  }
}

// The query that finds exactly `name`.
export function exactly(name: string): string {
  return `"${name}"`;
}

export interface Found {
  nodes: number;
  // The weight below the matching nodes, each stack counted once, as a share of the whole.
  share: number;
}

export function find(tree: Tree, matches: Matcher): Found {
  let nodes = 0;
  let share = 0;
  const work: Array<[Node, boolean]> = tree.root.children.map((child) => [child, false]);
  while (work.length > 0) {
    const [node, within] = work.pop()!;
    const hit = matches(node.name);
    if (hit) nodes++;
    if (hit && !within) share += shareOf(tree, node);
    for (const child of node.children) work.push([child, within || hit]);
  }
  return { nodes, share };
}

// The heaviest node that matches; null where none does.
export function largestMatch(tree: Tree, matches: Matcher): Node | null {
  let best: Node | null = null;
  walk(tree.root, (node) => {
    if (!node.frame || !matches(node.name)) return;
    if (!best || weight(tree, node) > weight(tree, best)) best = node;
  });
  return best;
}
