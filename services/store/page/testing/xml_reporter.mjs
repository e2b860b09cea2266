// A reporter of node's test runner: the test.xml that Bazel asks for, a case for each test.

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
// XML has no way to write most control characters, which colours in messages are made of.
const printable = (text) => text.replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd]/g, "");

function failureOf({ details }) {
  const cause = details?.error?.cause ?? details?.error;
  return escape(printable(String(cause?.stack ?? cause ?? "failed")));
}

function testCase(kind, data) {
  const time = ((data.details?.duration_ms ?? 0) / 1000).toFixed(3);
  const open = `<testcase name="${escape(printable(data.name))}" time="${time}"`;
  if (kind === "test:fail") return `${open}><failure>${failureOf(data)}</failure></testcase>\n`;
  if (data.skip !== undefined) return `${open}><skipped/></testcase>\n`;
  return `${open}/>\n`;
}

export default async function* report(events) {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite>\n';
  for await (const { type, data } of events) {
    // A file is reported as a suite, or in older releases as a test, around its tests.
    const isFile = /\.[cm]?js$/.test(data?.name ?? "") && type === "test:pass";
    if ((type === "test:pass" || type === "test:fail") && !isFile) {
      if (data.details?.type !== "suite") yield testCase(type, data);
    }
  }
  yield "</testsuite></testsuites>\n";
}
