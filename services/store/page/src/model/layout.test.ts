import assert from "node:assert/strict";
import { test } from "node:test";
import { boxAt, layoutBoxes } from "./layout";
import { findByKey, pathKey } from "./path_key";
import { nodeAt, treeOf } from "./testing";
import { singleTree } from "./tree";

const tree = singleTree(treeOf("a;b 50", "a;c 25", "d 25"));

// Boxes fill their parent in proportion, siblings side by side.
test("widths are shares", () => {
  const { rows } = layoutBoxes(tree, tree.root, 400);
  const text = rows.map((row) => row.map((b) => `${b.node.name}@${b.x}+${b.width}`));
  assert.deepEqual(text, [["total@0+400"], ["a@0+300", "d@300+100"], ["b@0+200", "c@200+100"]]);
});

// The zoomed node takes the full width, its ancestors stand above it.
test("zoom", () => {
  const { rows } = layoutBoxes(tree, nodeAt(tree.root, "a"), 300);
  const text = rows.map((row) => row.map((b) => `${b.node.name}+${b.width}${b.above ? "^" : ""}`));
  assert.deepEqual(text, [["total+300^"], ["a+300"], ["b+200", "c+100"]]);
});

// What is too narrow is left out and counted.
test("narrow boxes", () => {
  const narrow = singleTree(treeOf("a 9999", "b 1", "c 1"));
  const { rows, hidden } = layoutBoxes(narrow, narrow.root, 1000);
  assert.deepEqual(
    rows[1].map((b) => b.node.name),
    ["a"],
  );
  assert.equal(hidden, 2);
});

// A point finds its box, a point in a gap none.
test("hit test", () => {
  const { rows } = layoutBoxes(singleTree(treeOf("a 1", "a;b 2", "a;c 1")), tree.root, 400);
  assert.equal(boxAt(rows[1], 299)?.node.name, "a");
  assert.equal(boxAt(rows[1], 300)?.node.name, "d");
  assert.equal(boxAt(rows[9], 0), null);
  assert.equal(boxAt([{ node: tree.root, x: 10, width: 5, above: false }], 3), null);
});

// A key finds its node in another tree of the same shape, and the root where there is none.
test("path keys", () => {
  const key = pathKey(nodeAt(tree.root, "a;c"));
  const other = treeOf("a;c 1", "x;c 3");
  assert.equal(findByKey(other, key), nodeAt(other, "a;c"));
  assert.equal(findByKey(treeOf("x 1"), key).name, "total");
  assert.equal(findByKey(other, ""), other);
  assert.equal(findByKey(other, "rubbish"), other);
});
