// Checks as a list: what is wrong, what that means, how to mend it.

import type { Check } from "../model/checks";
import { h } from "./dom";

const MARKS = { ok: "✓", warning: "▲", error: "✖" };
const WORDS = { ok: "In order", warning: "Warning", error: "Error" };

export function checkList(checks: Check[]): HTMLElement {
  return h("ul", { class: "checks" }, ...checks.map(row));
}

function row({ id, level, title, detail, remedy }: Check): HTMLElement {
  return h(
    "li",
    { class: level, "data-check": id },
    h("span", { class: "mark", role: "img", "aria-label": WORDS[level] }, MARKS[level]),
    h(
      "div",
      {},
      h("p", { class: "check" }, title),
      detail === "" ? null : h("p", { class: "hint" }, detail),
      remedy === "" ? null : h("p", { class: "remedy" }, remedy),
    ),
  );
}
