// Checks as a list: what is wrong, what that means, how to mend it.

import type { Check } from "../model/checks";
import { h } from "./dom";

const MARKS = { ok: "✓", warning: "▲", error: "✖" };
const WORDS = { ok: "In order", warning: "Warning", error: "Error" };

export function checkList(checks: Check[]): HTMLElement {
  return h("ul", { class: "checks" }, ...checks.map(row));
}

function row(check: Check): HTMLElement {
  const { id, level, title } = check;
  return h(
    "li",
    { class: level, "data-check": id },
    h("span", { class: "mark", role: "img", "aria-label": WORDS[level] }, MARKS[level]),
    h("div", {}, h("p", { class: "check" }, title), ...explanation(check)),
  );
}

// What a check says below its title.
export function explanation({ detail, remedy }: Check): HTMLElement[] {
  return [
    ...(detail === "" ? [] : [h("p", { class: "hint" }, detail)]),
    ...(remedy === "" ? [] : [h("p", { class: "remedy" }, remedy)]),
  ];
}
