import assert from "node:assert/strict";
import { test } from "node:test";
// @ts-expect-error: the fake store's encoder is plain JavaScript.
import { pprof as encode } from "../../testing/encode.mjs";
import { annotate, carryNotes } from "./annotate";
import { decodePprof } from "./pprof";
import { nodeAt, treeOf } from "./testing";

const frame = (name: string, extra: object = {}) => ({
  name,
  file: "",
  line: 0,
  module: "",
  buildId: "",
  inlined: false,
  ...extra,
});

const BYTES: Uint8Array = encode([
  [
    [
      frame("main"),
      frame("work", { file: "w.cc", line: 7, module: "/bin/app", buildId: "ab12" }),
      frame("small", { file: "s.h", line: 3, module: "/bin/app", inlined: true }),
    ],
    5,
  ],
  [[frame("main"), frame("[libx.so]", { module: "/lib/libx.so" })], 2],
]);

// Inlined lines become frames of their own below the function they are in, and are marked.
test("inlined frames", () => {
  const root = treeOf("main;work;small 5", "main;[libx.so] 2");
  assert.equal(annotate(root, decodePprof(BYTES)), 4);
  assert.deepEqual(nodeAt(root, "main;work;small").note, {
    file: "s.h",
    line: 3,
    module: "/bin/app",
    buildId: "ab12",
    inlined: true,
  });
  assert.equal(nodeAt(root, "main;work").note?.inlined, false);
});

// A location without lines is named after its module, as the flame graph names it.
test("unresolved locations", () => {
  const root = treeOf("main;[libx.so] 2");
  annotate(root, decodePprof(BYTES));
  assert.equal(nodeAt(root, "main;[libx.so]").note?.module, "/lib/libx.so");
});

// `stoker record` names such frames by their address.
test("unresolved locations with addresses", () => {
  const location = decodePprof(BYTES).stacks[1][0];
  const root = treeOf(`main;libx.so 0x${(4096 + location).toString(16)} 2`);
  annotate(root, decodePprof(BYTES));
  assert.equal(root.children[0].children[0].note?.module, "/lib/libx.so");
});

// A tree that lacks the stack is noted as far as it goes.
test("partial stacks", () => {
  const root = treeOf("main;other 7");
  assert.equal(annotate(root, decodePprof(BYTES)), 1);
});

// Notes of the last answer serve until the next pprof is there.
test("carried notes", () => {
  const old = treeOf("main;work;small 5");
  annotate(old, decodePprof(BYTES));
  const fresh = treeOf("main;work;small 6", "main;new 1");
  assert.equal(carryNotes(old, fresh), 6 / 7);
  assert.equal(nodeAt(fresh, "main;work;small").note?.line, 3);
  assert.equal(nodeAt(fresh, "main;new").note, null);
});

// Cut-off bytes are an error, not a wrong profile.
test("truncated message", () => {
  assert.throws(() => decodePprof(BYTES.subarray(0, BYTES.length - 3)), /longer than message/);
});
