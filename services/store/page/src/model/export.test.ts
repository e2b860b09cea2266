import assert from "node:assert/strict";
import { test } from "node:test";
import { toFolded } from "./folded";
import { toSpeedscope } from "./speedscope";
import { toSvg } from "./svg";
import { treeOf } from "./testing";
import { singleTree } from "./tree";

const root = treeOf("main;work;hot<int> 70", "main;work 10", "idle 20");

// Folded stacks sum up to the profile; a semicolon in a name would split it.
test("folded", () => {
  assert.equal(toFolded(root), "idle 20\nmain;work 10\nmain;work;hot<int> 70\n");
  assert.equal(toFolded(treeOf("x 0")), "");
  const odd = treeOf("a 1");
  odd.children[0].name = "L;java/lang/Object";
  assert.equal(toFolded(odd), "L:java/lang/Object 1\n");
});

// speedscope's samples refer to existing frames, weights sum up to the end value.
test("speedscope", () => {
  const file = JSON.parse(toSpeedscope(root, "checkout", "nanoseconds"));
  const [profile] = file.profiles;
  assert.equal(profile.endValue, 100);
  assert.equal(profile.unit, "nanoseconds");
  assert.deepEqual(profile.weights, [20, 10, 70]);
  const names = profile.samples.map((s: number[]) =>
    s.map((i) => file.shared.frames[i].name).join(";"),
  );
  assert.deepEqual(names, ["idle", "main;work", "main;work;hot<int>"]);
});

// Names are data, not markup, in a picture.
test("svg", () => {
  const paint = () => ({ fill: "#fff", text: "#000" });
  const svg = toSvg(singleTree(root), root, { title: "A & B", unit: "count", width: 800, paint });
  assert.ok(svg.includes("hot&#60;int&#62;: 70, 70.0 %"));
  assert.ok(svg.includes("A &#38; B"));
  assert.ok(!svg.includes("hot<int>"));
  assert.equal(svg.match(/<rect/g)?.length, 1 + 5);
});
