import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFlameGraph } from "./levels";
import { preorder } from "./tree";

// Pyroscope's own vector decodes to the stacks it was made of.
test("decodes the reference vector", () => {
  const root = decodeFlameGraph({
    names: ["total", "a", "c", "d", "b", "e"],
    levels: [
      { values: ["0", "4", "0", "0"] },
      { values: ["0", "4", "0", "1"] },
      { values: ["0", "1", "0", "4", "0", "3", "2", "2"] },
      { values: ["0", "1", "1", "5", "2", "1", "1", "3"] },
    ],
    total: "4",
  });
  const lines = preorder(root).map((n) => `${n.parent?.name}>${n.name} ${n.total} ${n.self}`);
  assert.deepEqual(lines, [
    "undefined>total 4 0",
    "total>a 4 0",
    "a>b 1 0",
    "b>e 1 1",
    "a>c 3 2",
    "c>d 1 1",
  ]);
});

// An absent message and the store's empty answer are both a root without value.
test("decodes nothing to an empty root", () => {
  assert.equal(decodeFlameGraph(undefined).total, 0);
  const empty = { names: ["total"], levels: [{ values: [0, 0, 0, 0] }] };
  assert.deepEqual(decodeFlameGraph(empty).children, []);
});

// Numbers that do not fit together are refused, each with what is wrong.
test("refuses malformed levels", () => {
  const level = (...values: number[]) => ({ values });
  const decode =
    (...levels: Array<{ values: number[] }>) =>
    () =>
      decodeFlameGraph({ names: ["total"], levels });
  assert.throws(decode(level(0, 4, 0)), /not a multiple of 4/);
  assert.throws(decode(level(0, 4, 0, 7)), /wants number 7/);
  assert.throws(decode(level(0, 4, 0, 0), level(2, 3, 3, 0)), /outside every node/);
});
