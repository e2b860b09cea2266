// Label selectors, `{name="value", other=~"a|b"}`, as the filter field edits them.

export interface Matcher {
  name: string;
  operator: "=" | "!=" | "=~" | "!~";
  value: string;
}

const MATCHER = /\s*("(?:[^"\\]|\\.)*"|[^\s=!~,"{}]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*/y;
const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export interface Parsed {
  matchers: Matcher[];
  // What is wrong and where, else empty.
  error: string;
}

// Parses the inside of a selector; outer braces may be there or not.
export function parseMatchers(text: string): Parsed {
  const inner = text.trim().replace(/^\{/, "").replace(/\}$/, "").trim();
  const matchers: Matcher[] = [];
  let at = 0;
  while (at < inner.length) {
    MATCHER.lastIndex = at;
    const found = MATCHER.exec(inner);
    if (!found) {
      return { matchers, error: `expected label="value" at “${inner.slice(at, at + 20)}”` };
    }
    matchers.push({
      name: found[1].startsWith('"') ? unescape(found[1].slice(1, -1)) : found[1],
      operator: found[2] as Matcher["operator"],
      value: unescape(found[3]),
    });
    at = MATCHER.lastIndex;
    if (at < inner.length && inner[at] !== ",") {
      return { matchers, error: `expected a comma at “${inner.slice(at, at + 20)}”` };
    }
    at++;
  }
  return { matchers, error: "" };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
}

function escape(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
}

export function formatMatcher({ name, operator, value }: Matcher): string {
  const key = PLAIN_NAME.test(name) ? name : `"${escape(name)}"`;
  return `${key}${operator}"${escape(value)}"`;
}

export function formatMatchers(matchers: Matcher[]): string {
  return matchers.map(formatMatcher).join(", ");
}

// The selector to send: the chosen service, the filter, and what a split by label adds.
export function selectorOf(service: string, filter: string, extra: Matcher[] = []): string {
  const matchers = [...parseMatchers(filter).matchers, ...extra];
  if (service !== "") matchers.unshift({ name: "service_name", operator: "=", value: service });
  return `{${formatMatchers(matchers)}}`;
}

// Text that matches `value` alone when used as a regular expression (RE2).
export function quoteRegex(value: string): string {
  return value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

export interface Completion {
  // What is being typed at the cursor: a label's name, or the value of the label `label`.
  part: "name" | "value";
  label: string;
  // The letters typed so far, and where in the text they stand.
  prefix: string;
  start: number;
  end: number;
}

// What to complete at `cursor`; null inside an operator.
export function completionAt(text: string, cursor: number): Completion | null {
  const before = text.slice(0, cursor);
  const value = /("(?:[^"\\]|\\.)*"|[^\s=!~,"{}]+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)$/.exec(
    before,
  );
  if (value) {
    const start = cursor - value[2].length;
    const rest = /^(?:[^"\\]|\\.)*"?/.exec(text.slice(cursor))?.[0].length ?? 0;
    const label = value[1].startsWith('"') ? unescape(value[1].slice(1, -1)) : value[1];
    return { part: "value", label, prefix: unescape(value[2]), start, end: cursor + rest };
  }
  const name = /(?:^|[{,])\s*([^\s=!~,"{}]*)$/.exec(before);
  if (!name) return null;
  const start = cursor - name[1].length;
  const rest = /^[^\s=!~,"{}]*/.exec(text.slice(cursor))?.[0].length ?? 0;
  return { part: "name", label: "", prefix: name[1], start, end: cursor + rest };
}

// `text` with `choice` put in, and where the cursor stands then.
export function applyCompletion(
  text: string,
  at: Completion,
  choice: string,
): { text: string; cursor: number } {
  const head = text.slice(0, at.start);
  const tail = text.slice(at.end);
  if (at.part === "value") {
    const put = `${escape(choice)}"`;
    return { text: head + put + tail, cursor: head.length + put.length };
  }
  const key = PLAIN_NAME.test(choice) ? choice : `"${escape(choice)}"`;
  const put = /^\s*(=|!)/.test(tail) ? key : `${key}="`;
  return { text: head + put + tail, cursor: head.length + put.length };
}
