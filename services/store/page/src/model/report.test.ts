import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
// @ts-expect-error: the fake store's encoder is plain JavaScript.
import { pprof as encode } from "../../testing/encode.mjs";
import { fillReport, readReport } from "./report";
import { nodeAt, show } from "./testing";

const frame = (name: string) => ({
  name,
  ...{ file: `${name}.cc`, line: 3, module: "/bin/app", buildId: "", inlined: false },
});
const STACKS = [
  [[frame("main"), frame("work")], 5],
  [[frame("main")], 2],
];
const BYTES: Uint8Array = encode(STACKS, {
  ...{ sampleType: "cpu", unit: "nanoseconds", periodType: "cpu", periodUnit: "nanoseconds" },
  timeMs: 1,
});
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const TREE = ["total 7/0", "total;main 7/2", "total;main;work 5/5"];

// A pprof alone is enough, with gzip and without.
test("report of a pprof", async () => {
  for (const bytes of [BYTES, new Uint8Array(gzipSync(BYTES))]) {
    const report = await readReport({ title: "t", pprof: base64(bytes) });
    assert.deepEqual(report.types, ["process_cpu:cpu:nanoseconds::"]);
    const { root } = report.profile(report.shownFirst);
    assert.deepEqual(show(root), TREE);
    assert.equal(nodeAt(root, "main;work").note?.file, "work.cc");
    assert.deepEqual(report.pprof, BYTES);
  }
});

const FLAMEBEARER = {
  names: ["total", "main", "work"],
  levels: [
    [0, 7, 0, 0],
    [0, 7, 2, 1],
    [2, 5, 5, 2],
  ],
};

// The answer of /pyroscope/render: values counted at a rate become time.
test("report of a flamebearer", async () => {
  const metadata = { units: "samples", name: "cpu", sampleRate: 1e9 };
  const report = await readReport({ flamebearer: FLAMEBEARER, metadata });
  assert.equal(report.shownFirst, "process_cpu:cpu:nanoseconds::");
  assert.deepEqual(show(report.profile("").root), TREE);
  assert.equal(report.pprof, null);
  const slow = await readReport({
    flamebearer: FLAMEBEARER,
    metadata: { units: "samples", name: "cpu", sampleRate: 100 },
  });
  assert.equal(slow.profile("").root.total, 7e7);
});

// A flamebearer with its pprof has files and lines.
test("report of both", async () => {
  const report = await readReport({ flamebearer: FLAMEBEARER, pprof: base64(BYTES) });
  assert.equal(nodeAt(report.profile("").root, "main;work").note?.line, 3);
  const levels = [[0, 7, 0, 0], [0, 7, 0, 3], ...FLAMEBEARER.levels.slice(1)];
  const flamebearer = { names: ["total", "main", "work", "app"], levels };
  const below = await readReport({ flamebearer, pprof: base64(BYTES) });
  assert.equal(nodeAt(below.profile("").root, "app;main;work").note?.line, 3);
});

// A page made by the page reads as one made by `stoker record`, whatever its names hold.
test("filled reports", () => {
  const place = '<script id="profile" type="application/json">null</script>';
  const page = fillReport(`<b>$&</b>${place}`, { title: "</script>$&" });
  assert.equal(page, `<b>$&</b>${place.replace("null", '{"title":"\\u003c/script>$$&"}')}`);
  assert.throws(() => fillReport("<b></b>", {}), /no place/);
});

// What holds no profile says so instead of showing an empty graph.
test("reports without a profile", async () => {
  await assert.rejects(readReport(null), /nobody has put a profile/);
  await assert.rejects(readReport({ title: "x" }), /neither/);
  await assert.rejects(readReport({ pprof: base64(encode(STACKS)) }), /what it counts/);
  await assert.rejects(readReport({ flamebearer: { names: [], levels: [[1]] } }), /multiple of 4/);
});
