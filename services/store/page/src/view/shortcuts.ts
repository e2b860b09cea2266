// The keyboard: one list, from which keys are dispatched and the `?` sheet is made.

import { recall, remember } from "./browser_memory";
import { button, h, labelled } from "./dom";

const OFF_KEY = "stoker.keys.off";

export interface Shortcut {
  key: string;
  text: string;
  run: () => void;
}

export interface ShortcutGroup {
  title: string;
  shortcuts: Shortcut[];
}

type InsideName = "In the flame graph" | "In the search" | "In the table" | "In the timeline";

// Keys that a focused part handles itself, for the sheet only.
const INSIDE: Array<[InsideName, Array<[string, string]>]> = [
  [
    "In the flame graph",
    [
      ["← → ↑ ↓", "next frame, callee, caller"],
      ["Enter", "zoom to the selected frame"],
      ["Backspace", "zoom out to its caller"],
      ["Home", "select the root"],
    ],
  ],
  ["In the search", [["Enter", "go to the largest match"]]],
  ["In the table", [["↑ ↓", "next function"]]],
  [
    "In the timeline",
    [
      ["← →", "move"],
      ["Shift ← →", "select a span"],
      ["Enter", "show the span"],
      ["Shift Enter", "make it the baseline of a diff"],
    ],
  ],
];

export class Shortcuts {
  readonly sheet: HTMLDialogElement;
  readonly button = button("?", () => this.sheet.showModal(), {
    class: "icon",
    "aria-label": "Keyboard help",
    title: "Keyboard (?)",
  });

  private readonly enabled = h("input", {
    type: "checkbox",
    checked: recall(OFF_KEY) === null,
    onchange: () => this.remember(),
  });

  // `inside`: which of the parts that handle keys themselves are there.
  constructor(
    private readonly groups: ShortcutGroup[],
    inside = INSIDE.map(([title]) => title),
  ) {
    this.sheet = h("dialog", { class: "sheet", "aria-label": "Keyboard" });
    this.sheet.append(
      h("h2", { tabindex: -1, autofocus: true }, "Keyboard"),
      h(
        "div",
        { class: "columns" },
        ...groups.map((g) =>
          section(
            g.title,
            g.shortcuts.map((s) => [s.key, s.text]),
          ),
        ),
        ...INSIDE.filter(([title]) => inside.includes(title)).map(([title, rows]) =>
          section(title, rows),
        ),
      ),
      h(
        "p",
        { class: "actions" },
        button("Close", () => this.sheet.close()),
        labelled("Keys without Ctrl or Alt work everywhere", this.enabled),
      ),
    );
    document.addEventListener("keydown", (e) => this.key(e));
  }

  private remember(): void {
    remember(OFF_KEY, this.enabled.checked ? null : "true");
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // Speech input types letters by the way, so they can be switched off; ? always works.
    if (!this.enabled.checked && event.key !== "?") return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    for (const { shortcuts } of this.groups) {
      const hit = shortcuts.find(
        (s) => s.key === event.key || (s.key === "Esc" && event.key === "Escape"),
      );
      if (!hit) continue;
      event.preventDefault();
      hit.run();
      return;
    }
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement
  );
}

function section(title: string, rows: Array<[string, string]>): HTMLElement {
  return h(
    "section",
    {},
    h("h3", {}, title),
    h(
      "dl",
      {},
      ...rows.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]),
    ),
  );
}
