// The keyboard: one list, from which keys are dispatched and the `?` sheet is made.

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

// Keys that a focused part handles itself, for the sheet only.
const INSIDE: Array<[string, Array<[string, string]>]> = [
  [
    "In the flame graph",
    [
      ["← → ↑ ↓", "next frame, callee, caller"],
      ["Enter", "zoom to the selected frame"],
      ["Backspace", "zoom out to its caller"],
      ["Home", "select the root"],
    ],
  ],
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

  private readonly enabled = h("input", {
    type: "checkbox",
    checked: localStorage.getItem(OFF_KEY) === null,
    onchange: () => this.remember(),
  });

  constructor(private readonly groups: ShortcutGroup[]) {
    this.sheet = h("dialog", { class: "sheet", "aria-label": "Keyboard" });
    this.sheet.append(
      h("h2", {}, "Keyboard"),
      h(
        "div",
        { class: "columns" },
        ...groups.map((g) =>
          section(
            g.title,
            g.shortcuts.map((s) => [s.key, s.text]),
          ),
        ),
        ...INSIDE.map(([title, rows]) => section(title, rows)),
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
    if (this.enabled.checked) localStorage.removeItem(OFF_KEY);
    else localStorage.setItem(OFF_KEY, "true");
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
