// Tables, sandwiches, diffs and searches must agree with the tree to the unit.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeMark, changeOf, diffTree } from "./diff";
import { sandwich } from "./sandwich";
import { gapsOf } from "./gaps";
import { exactly, find, largestMatch, parseQuery } from "./search";
import { nodeAt, show, treeOf } from "./testing";
import { sortTop, topTable } from "./top";
import { focusOn } from "./transform";
import { shareOf, singleTree, weight, withRoot } from "./tree";

// A function that occurs twice in a stack counts once in its total, its self values all count.
test("top table", () => {
  const rows = topTable(singleTree(treeOf("f;g;f 4", "f 1", "g 2")));
  const f = rows.find((row) => row.name === "f")!;
  const g = rows.find((row) => row.name === "g")!;
  assert.deepEqual([f.self, f.total, g.self, g.total], [5, 5, 2, 6]);
  assert.equal(
    rows.reduce((sum, row) => sum + row.self, 0),
    7,
  );
});

// Rows are ordered by any column, equal ones by name.
test("top table order", () => {
  const rows = topTable(singleTree(treeOf("b 2", "a 2", "c 9")));
  const names = (...order: Parameters<typeof sortTop>) =>
    sortTop(...order)
      .map((r) => r.name)
      .join("");
  const none = () => 0;
  assert.equal(names(rows, "self", true, none), "cab");
  assert.equal(names(rows, "total", false, none), "abc");
  assert.equal(names(rows, "name", true, none), "abc");
  assert.equal(names(rows, "name", false, none), "cba");
});

// Label values of a split graph are no functions.
test("top table of a split graph", () => {
  const rows = topTable(singleTree(treeOf("pod=a;f 1", "pod=b;f 2"), true));
  assert.deepEqual(
    rows.map((row) => [row.name, row.total]),
    [["f", 3]],
  );
});

// Callers and callees both sum up to the function's total; a recursion counts once.
test("sandwich", () => {
  const { callers, callees } = sandwich(treeOf("a;f;x 4", "b;f;f;y 2", "b;f 1", "c 9"), "f");
  assert.deepEqual(show(callers), ["f 7/0", "f;a 4/4", "f;b 3/3"]);
  assert.deepEqual(show(callees), ["f 7/1", "f;f 2/0", "f;f;y 2/2", "f;x 4/4"]);
});

// With equal weight a profile of double length is no change; without it is.
test("diff of unequal lengths", () => {
  const base = treeOf("a 10", "b 10");
  const current = treeOf("a 20", "b 20");
  const equal = diffTree(base, current, true);
  assert.equal(changeOf(equal, nodeAt(equal.root, "a")).kind, "same");
  const absolute = diffTree(base, current, false);
  assert.deepEqual(changeOf(absolute, nodeAt(absolute.root, "a")), { kind: "more", delta: 0.25 });
});

// Frames of one side only are new or gone, with a mark that needs no colour.
test("diff marks", () => {
  const tree = diffTree(treeOf("a 8", "old 2"), treeOf("a 5", "fresh 5"), true);
  const mark = (path: string) => changeMark(changeOf(tree, nodeAt(tree.root, path)));
  assert.equal(mark("old"), "gone −20.0 pp");
  assert.equal(mark("fresh"), "new +50.0 pp");
  assert.equal(mark("a"), "▼ −30.0 pp");
});

// A part of a profile keeps the shares and marks it has in the whole.
test("shares of a part", () => {
  const tree = diffTree(treeOf("a;f 10", "b 90"), treeOf("a;f 30", "b 70"), true);
  const part = withRoot(tree, sandwich(tree.root, "f").callees);
  assert.equal(changeMark(changeOf(part, part.root)), "▲ +20.0 pp");
  const single = singleTree(treeOf("a;f 25", "b 75"));
  const focused = withRoot(single, focusOn(single.root, "f"));
  assert.equal(shareOf(focused, focused.root), 0.25);
});

// In a diff the children of a node never weigh more than it does.
test("diff widths", () => {
  const tree = diffTree(treeOf("a;b 8", "a 2"), treeOf("a;c 5"), true);
  const a = nodeAt(tree.root, "a");
  const children = a.children.reduce((sum, child) => sum + weight(tree, child), 0);
  assert.ok(children <= weight(tree, a) + 1e-12);
});

// The share found counts each stack once, however many of its frames match.
test("search", () => {
  const tree = singleTree(treeOf("json;json_value 6", "other 2", "main;JSON 2"));
  const search = (text: string) => find(tree, parseQuery(text).matches!);
  assert.deepEqual(search("json"), { nodes: 3, share: 0.8 });
  assert.deepEqual(search("/^json$/"), { nodes: 2, share: 0.8 });
  assert.deepEqual(search(exactly("json")), { nodes: 1, share: 0.6 });
  assert.equal(parseQuery("  ").matches, null);
  assert.match(parseQuery("/(/").error, /parenthes|group/i);
});

// What is not named, not whole or folded is summed up once for each stack.
test("gaps", () => {
  const tree = singleTree(
    treeOf("main;[libz.so.1] 10", "[unwind: no rule];[libz.so.1];f 20", "main;other 5", "main 65"),
  );
  assert.deepEqual(gapsOf(tree), { truncated: 0.2, unnamed: 0.1, folded: 0.05 });
  const diff = diffTree(treeOf("main;[unknown] 1", "main 9"), treeOf("main 30"), true);
  assert.equal(gapsOf(diff).unnamed.toFixed(3), "0.050");
});

// Enter in the search goes to the heaviest match, wherever it lies.
test("largest match", () => {
  const tree = singleTree(treeOf("a;json 3", "b;json;json 4", "c 9"));
  const matches = parseQuery("json").matches!;
  assert.equal(largestMatch(tree, matches), nodeAt(tree.root, "b;json"));
  assert.equal(largestMatch(tree, parseQuery("nowhere").matches!), null);
});
