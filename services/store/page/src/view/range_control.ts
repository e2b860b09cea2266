// The time range: presets, free text, refresh, and steps back, forth and out.

import {
  absolute,
  describeRange,
  editable,
  isRelative,
  PRESETS,
  resolve,
} from "../model/time_range";
import type { Interval, TimeRange } from "../model/time_range";
import { button, h, setOptions } from "./dom";

const CUSTOM = "custom";
const REFRESHES = [
  { value: "0", label: "Live: off" },
  { value: "5", label: "Live: 5 s" },
  { value: "15", label: "Live: 15 s" },
  { value: "60", label: "Live: 1 min" },
];

export class RangeControl {
  readonly element: HTMLElement;
  readonly dialog: HTMLDialogElement;
  private readonly presets = h("select", {
    "aria-label": "Time range",
    onchange: () => this.choosePreset(),
  });
  private readonly refresh = h("select", {
    "aria-label": "Live refresh",
    onchange: () => this.setRefresh(Number(this.refresh.value)),
  });
  private readonly from = h("input", { type: "text", required: true, spellcheck: "false" });
  private readonly until = h("input", { type: "text", required: true, spellcheck: "false" });
  private readonly problem = h("p", { class: "problem", role: "alert" });
  private range: TimeRange = { from: "now-1h", until: "now" };

  constructor(
    private readonly setRange: (range: TimeRange) => void,
    private readonly setRefresh: (seconds: number) => void,
  ) {
    const step = (label: string, text: string, move: (i: Interval) => Interval): HTMLElement =>
      button(label, () => this.move(move), { "aria-label": text, title: text, class: "icon" });
    this.element = h(
      "div",
      { class: "range", role: "group", "aria-label": "Time" },
      step("‹", "Earlier ( , )", earlier),
      this.presets,
      step("›", "Later ( . )", later),
      step("−", "Zoom out ( - )", wider),
      this.refresh,
    );
    this.dialog = this.makeDialog();
  }

  show(range: TimeRange, refresh: number): void {
    this.range = range;
    const options = PRESETS.map((p) => ({ value: p.from, label: p.label }));
    const preset = isRelative(range) && options.some((o) => o.value === range.from);
    const custom = preset ? "Custom…" : describeRange(range, Date.now());
    setOptions(
      this.presets,
      [...options, { value: CUSTOM, label: custom }],
      preset ? range.from : CUSTOM,
    );
    if (!preset) this.presets.append(h("option", { value: "edit" }, "Custom…"));
    setOptions(this.refresh, REFRESHES, String(refresh));
    this.refresh.disabled = !isRelative(range);
  }

  move(change: (interval: Interval) => Interval): void {
    const interval = resolve(this.range, Date.now());
    if (interval) this.setRange(absolute(change(interval)));
  }

  edit(): void {
    this.from.value = editable(this.range.from, Date.now());
    this.until.value = editable(this.range.until, Date.now());
    this.problem.textContent = "";
    this.dialog.showModal();
    this.from.select();
  }

  private choosePreset(): void {
    const { value } = this.presets;
    if (value !== CUSTOM && value !== "edit") return this.setRange({ from: value, until: "now" });
    this.edit();
    this.presets.value = isRelative(this.range) ? this.range.from : CUSTOM;
  }

  private makeDialog(): HTMLDialogElement {
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: (e) => {
          if (!this.submit()) e.preventDefault();
        },
      },
      h("h2", {}, "Time range"),
      h("label", { class: "field" }, h("span", {}, "From"), this.from),
      h("label", { class: "field" }, h("span", {}, "Until"), this.until),
      h("p", { class: "hint" }, "now, now-30m, now-6h, now-2d, or 2026-01-31 14:05"),
      this.problem,
      h(
        "p",
        { class: "actions" },
        h("button", { type: "submit", class: "primary" }, "Show"),
        button("Cancel", () => this.dialog.close()),
      ),
    );
    return h("dialog", { "aria-label": "Time range" }, form);
  }

  private submit(): boolean {
    const range = { from: this.from.value.trim(), until: this.until.value.trim() };
    if (!resolve(range, Date.now())) {
      this.problem.textContent = "That is not a range with a start before its end.";
      return false;
    }
    this.setRange(range);
    return true;
  }
}

export function earlier({ start, end }: Interval): Interval {
  const half = (end - start) / 2;
  return { start: start - half, end: end - half };
}

export function later({ start, end }: Interval): Interval {
  const half = (end - start) / 2;
  return { start: start + half, end: end + half };
}

export function wider({ start, end }: Interval): Interval {
  const half = (end - start) / 2;
  return { start: start - half, end: Math.min(end + half, Math.max(Date.now(), end)) };
}
