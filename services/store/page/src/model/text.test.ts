// What the page reads from and writes to people: ranges, units, filters, links.
import assert from "node:assert/strict";
import { test } from "node:test";
import { explainFrame } from "./frame_kind";
import { defaultType, parseProfileType, titleOf } from "./profile_type";
import { applyCompletion, completionAt, parseMatchers, selectorOf } from "./selector";
import { groupsOf, MAX_GROUPS } from "./split";
import { parseMoment, preceding, resolve, stepFor } from "./time_range";
import { formatRate, formatShare, formatValue } from "./units";
import { DEFAULT_STATE, formatState, needsData, parseState } from "./view_state";

const NOW = 1_700_000_000_000;

test("moments", () => {
  assert.equal(parseMoment("now-15m", NOW), NOW - 900_000);
  assert.equal(parseMoment("1700000000", 0), NOW);
  assert.equal(parseMoment("1700000000000", 0), NOW);
  assert.equal(parseMoment("2023-11-14 10:00", 0), new Date(2023, 10, 14, 10).getTime());
  assert.equal(parseMoment("yesterday", NOW), null);
});

// A range that is empty, backwards or unreadable is none.
test("ranges", () => {
  assert.deepEqual(resolve({ from: "now-1h", until: "now" }, NOW), {
    start: NOW - 3_600_000,
    end: NOW,
  });
  assert.equal(resolve({ from: "now", until: "now-1h" }, NOW), null);
  assert.equal(resolve({ from: "now", until: "now" }, NOW), null);
  assert.deepEqual(preceding({ start: 100, end: 130 }), { start: 70, end: 100 });
});

// Steps are round and no smaller than the least.
test("steps", () => {
  assert.equal(stepFor({ start: 0, end: 300_000 }, 240, 15_000), 15_000);
  assert.equal(stepFor({ start: 0, end: 86_400_000 }, 240, 15_000), 600_000);
});

test("units", () => {
  assert.equal(formatValue(1.5e9, "nanoseconds"), "1.50 s");
  assert.equal(formatValue(3 * 1024 * 1024, "bytes"), "3 MiB");
  assert.equal(formatValue(12_345, "count"), "12.3 k");
  assert.equal(formatRate(30e9, "nanoseconds", 15), "2 cores");
  assert.equal(formatRate(0.6e9, "nanoseconds", 15), "0.040 cores");
  assert.equal(formatShare(0.00001), "< 0.01 %");
  assert.equal(formatShare(0.123), "12.3 %");
});

test("profile types", () => {
  const cpu = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
  assert.equal(defaultType(["memory:alloc_space:bytes:space:bytes", cpu]), cpu);
  assert.equal(defaultType([]), "");
  assert.equal(titleOf(parseProfileType(cpu)), "CPU time");
  assert.equal(titleOf(parseProfileType("heap:x:count::")), "heap x");
});

// A filter survives reading and writing; a broken one says where.
test("filters", () => {
  assert.equal(
    selectorOf('a"b', 'x=~"1|2", "dotted.name"!="\\\\"'),
    '{service_name="a\\"b", x=~"1|2", "dotted.name"!="\\\\"}',
  );
  assert.equal(selectorOf("", ""), "{}");
  assert.match(parseMatchers('pod="a" env').error, /comma at “env”/);
  assert.match(parseMatchers("pod").error, /label="value" at “pod”/);
  assert.equal(parseMatchers('{pod="a"}').error, "");
});

// Names are completed outside quotes, values of the right label inside them.
test("completion", () => {
  const name = completionAt('env="a", po', 11)!;
  assert.deepEqual([name.part, name.prefix], ["name", "po"]);
  assert.deepEqual(applyCompletion('env="a", po', name, "pod"), {
    text: 'env="a", pod="',
    cursor: 14,
  });
  const value = completionAt('pod=~"ch", env="a"', 8)!;
  assert.deepEqual([value.part, value.label, value.prefix], ["value", "pod", "ch"]);
  assert.equal(
    applyCompletion('pod=~"ch", env="a"', value, "checkout").text,
    'pod=~"checkout", env="a"',
  );
  assert.equal(completionAt("pod=", 4), null);
});

// The largest values are split off, the rest stays one group whose matcher excludes them.
test("splits", () => {
  const series = Array.from({ length: MAX_GROUPS + 2 }, (_, i) => ({
    labels: [{ name: "pod", value: `p.${i}` }],
    points: [{ value: 100 - i, timestamp: 0 }],
  }));
  const groups = groupsOf("pod", series);
  assert.equal(groups.length, MAX_GROUPS + 1);
  assert.equal(groups[0].title, "pod=p.0");
  assert.equal(groups[MAX_GROUPS].matcher.operator, "!~");
  assert.ok(groups[MAX_GROUPS].matcher.value.startsWith("p\\.0|p\\.1|"));
});

// Every field of the view survives the URL; unknown ones and bad values do no harm.
test("links", () => {
  const state = {
    ...DEFAULT_STATE,
    service: "a b",
    filter: 'x="ü&"',
    inverted: true,
    refresh: 0,
    zoom: "3.k9",
  };
  assert.deepEqual(parseState(formatState(state)), state);
  assert.equal(formatState(DEFAULT_STATE), "");
  assert.deepEqual(parseState("?view=nonsense&refresh=-3&unknown=1"), DEFAULT_STATE);
  assert.equal(needsData(DEFAULT_STATE, { ...DEFAULT_STATE, search: "x" }), false);
  assert.equal(needsData(DEFAULT_STATE, { ...DEFAULT_STATE, service: "x" }), true);
});

// Frames without a name say why, in whatever spelling the reason comes.
test("frame explanations", () => {
  assert.deepEqual(explainFrame("main"), { kind: "function", text: "" });
  assert.match(explainFrame("[unwind: no rule]").text, /no unwind rule/);
  assert.equal(
    explainFrame("[unwind: FRAME_LIMIT]").text,
    explainFrame("[unwind: frame limit]").text,
  );
  assert.match(explainFrame("[unwind: quite new]").text, /quite new/);
  assert.match(explainFrame("[libz.so.1]").text, /^libz\.so\.1 has no symbol/);
  assert.equal(explainFrame("gzip 0x4330").text, explainFrame("[gzip]").text);
  assert.equal(explainFrame("[unknown]").kind, "unknown");
});
