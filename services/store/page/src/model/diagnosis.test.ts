// Each usual cause of an empty page is told apart from the others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChecks, summaryOf } from "./checks";
import { diagnose, type Facts } from "./diagnosis";

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

// All is well except that the answer was empty.
const FACTS: Facts = {
  now: NOW,
  interval: { start: NOW - HOUR, end: NOW },
  service: "",
  filter: "",
  filterError: "",
  type: CPU,
  failure: null,
  stats: { ingested: true, oldest: NOW - 24 * HOUR, newest: NOW },
  checks: [],
  types: [CPU],
  serviceTypes: [CPU],
  services: ["checkout"],
};

const CASES: Array<[string, Partial<Facts>]> = [
  ["unreachable", { failure: { status: 0, message: "Failed to fetch" } }],
  ["denied", { failure: { status: 401, message: "no org id" } }],
  ["too-much", { failure: { status: 504, message: "deadline" } }],
  ["refused", { failure: { status: 400, message: "query length" } }],
  ["failed", { failure: { status: 503, message: "unavailable" } }],
  ["bad-range", { interval: null }],
  ["bad-filter", { filterError: "expected a comma" }],
  ["nothing-ever", { stats: { ingested: false, oldest: 0, newest: 0 }, types: [], services: [] }],
  [
    "stopped",
    { stats: { ingested: true, oldest: 1, newest: NOW - 2 * HOUR }, types: [], services: [] },
  ],
  [
    "before-first",
    { stats: { ingested: true, oldest: NOW + 1, newest: NOW + 1 }, types: [], services: [] },
  ],
  ["clock-ahead", { stats: { ingested: true, oldest: NOW + 2 * HOUR, newest: NOW + 3 * HOUR } }],
  ["gap", { types: [], services: [] }],
  ["no-service", { service: "gone" }],
  ["no-type", { service: "checkout", serviceTypes: ["memory:alloc_space:bytes:space:bytes"] }],
  ["filtered-out", { filter: 'pod="x"' }],
  ["idle", {}],
];

for (const [cause, facts] of CASES) {
  test(cause, () => {
    const diagnosis = diagnose({ ...FACTS, ...facts });
    assert.equal(diagnosis.cause, cause);
    assert.ok(diagnosis.title.length > 0 && diagnosis.text.length > 0);
  });
}

// What the store says of a refusal reaches the reader.
test("messages are passed on", () => {
  const { text } = diagnose({ ...FACTS, failure: { status: 400, message: "query length 9d" } });
  assert.match(text, /query length 9d/);
});

const check = (id: string, level: string): object => ({ id, level, title: id, remedy: "mend" });
const EMPTY = { stats: { ingested: false, oldest: 0, newest: 0 }, types: [], services: [] };

// Where nothing arrives, an error of the host is the cause; its warnings and what is fine are not.
test("findings of the host", () => {
  const checks = parseChecks({
    checks: [check("disk", "warning"), check("kernel", "ok"), check("btf", "error")],
  });
  const found = diagnose({ ...FACTS, ...EMPTY, checks });
  assert.equal(found.cause, "nothing-ever");
  assert.equal(found.title, "Btf");
  assert.match(found.text, /^No profile has arrived yet/);
  assert.deepEqual(
    found.findings.map((finding) => finding.id),
    ["btf", "disk"],
  );
  assert.equal(summaryOf(found.findings), "1 error, 1 warning");
  const warned = diagnose({ ...FACTS, ...EMPTY, checks: checks.slice(0, 2) });
  assert.match(warned.title, /^No profile/);
  const gone = diagnose({ ...FACTS, service: "gone", checks });
  assert.match(gone.title, /^gone has no profiles/);
  assert.equal(gone.findings.length, 2);
  assert.equal(diagnose({ ...FACTS, filter: 'pod="x"', checks }).findings.length, 0);
});

// A host in order is said to be: whoever looks for the cause need not look there.
test("nothing found", () => {
  const checks = parseChecks({ checks: [check("btf", "ok")] });
  const { text, commands } = diagnose({ ...FACTS, ...EMPTY, checks });
  assert.match(text, /^stoker doctor finds nothing wrong/);
  assert.ok(commands.every(({ command }) => !command.includes("doctor")));
});

// An answer of another form says nothing, instead of breaking the page.
test("answers that are no checks", () => {
  for (const answer of [null, {}, { checks: {} }, { checks: [null, 1, { level: "bad" }] }]) {
    assert.deepEqual(parseChecks(answer), []);
  }
});
