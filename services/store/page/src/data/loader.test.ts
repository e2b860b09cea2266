import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_STATE } from "../model/view_state";
import { aligned, baseSelection, regular } from "./loader";

const SELECTION = { type: "t", selector: "{}", interval: { start: 1000, end: 2000 } };

// Points are the right edges of their steps; the first bar ends one step after the start.
test("points fall into their bars", () => {
  const points = [0, 10, 20, 40, 50].map((timestamp) => ({ timestamp, value: timestamp + 1 }));
  assert.deepEqual(regular({ labels: [], points }, { start: 0, end: 40 }, 10), [11, 21, 0, 41]);
});

// Whole steps, so that a bar holds the same profiles at each refresh; never none.
test("aligned intervals", () => {
  assert.deepEqual(aligned({ start: 12, end: 47 }, 10), { start: 10, end: 40 });
  assert.deepEqual(aligned({ start: 12, end: 14 }, 10), { start: 10, end: 20 });
});

// The baseline: the span before, another range, or other labels over the same range.
test("baselines", () => {
  const at = (patch: object) =>
    baseSelection({ ...DEFAULT_STATE, service: "s", ...patch }, SELECTION, 9000);
  assert.equal(at({}), null);
  assert.deepEqual(at({ compare: "before" }), {
    type: "t",
    selector: '{service_name="s"}',
    interval: { start: 0, end: 1000 },
  });
  assert.deepEqual(at({ compare: "range", baseFrom: "now-5s", baseUntil: "now" })?.interval, {
    start: 4000,
    end: 9000,
  });
  assert.equal(at({ compare: "range", baseFrom: "never", baseUntil: "now" }), null);
  assert.equal(
    at({ compare: "labels", baseService: "x", baseFilter: 'a="1"' })?.selector,
    '{service_name="x", a="1"}',
  );
  assert.equal(at({ compare: "labels", baseFilter: "a=" }), null);
});
