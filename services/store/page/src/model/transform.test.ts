import assert from "node:assert/strict";
import { test } from "node:test";
import { show, treeOf } from "./testing";
import { collapseRecursion, focusOn, ignore, invert, invertGroups } from "./transform";

const SAMPLE = ["main;work;hot 70", "main;work 10", "main;idle 15", "idle;hot 5"];

// Focus keeps whole stacks through the function and nothing else.
test("focus", () => {
  assert.deepEqual(show(focusOn(treeOf(...SAMPLE), "hot")), [
    "total 75/0",
    "total;idle 5/0",
    "total;idle;hot 5/5",
    "total;main 70/0",
    "total;main;work 70/0",
    "total;main;work;hot 70/70",
  ]);
});

// Focus on a function counts what it calls, once, also when it calls itself.
test("focus through a recursion", () => {
  assert.equal(focusOn(treeOf("a;f;f;b 4", "a 1"), "f").total, 4);
});

// Ignore drops every stack through the function; focus and ignore of one name add up to all.
test("ignore", () => {
  const rest = ignore(treeOf(...SAMPLE), "hot");
  assert.deepEqual(show(rest), [
    "total 25/0",
    "total;main 25/0",
    "total;main;idle 15/15",
    "total;main;work 10/10",
  ]);
});

// Direct recursion becomes one frame that keeps all values.
test("collapse recursion", () => {
  assert.deepEqual(show(collapseRecursion(treeOf("f;f;f;g 3", "f;f 2", "f;h;f 1"))), [
    "total 6/0",
    "total;f 6/2",
    "total;f;g 3/3",
    "total;f;h 1/0",
    "total;f;h;f 1/1",
  ]);
});

// Inverted, the first level are the functions by self value; the sum stays.
test("invert", () => {
  assert.deepEqual(show(invert(treeOf(...SAMPLE))), [
    "total 100/0",
    "total;hot 75/0",
    "total;hot;idle 5/5",
    "total;hot;work 70/0",
    "total;hot;work;main 70/70",
    "total;idle 15/0",
    "total;idle;main 15/15",
    "total;work 10/0",
    "total;work;main 10/10",
  ]);
});

// Inverting a split graph keeps each label value apart.
test("invert within groups", () => {
  assert.deepEqual(show(invertGroups(treeOf("pod=a;f;g 2", "pod=b;g 1"))), [
    "total 3/0",
    "total;pod=a 2/0",
    "total;pod=a;g 2/0",
    "total;pod=a;g;f 2/2",
    "total;pod=b 1/0",
    "total;pod=b;g 1/1",
  ]);
});

// A transformation leaves its input as it was.
test("input is untouched", () => {
  const tree = treeOf(...SAMPLE);
  const before = show(tree);
  [collapseRecursion, invert].forEach((transform) => transform(tree));
  focusOn(tree, "hot");
  ignore(tree, "hot");
  assert.deepEqual(show(tree), before);
});
