// The bar on top: profile type, range, filter, split and comparison.

import type { Overview } from "../data/loader";
import { parseProfileType, titleOf } from "../model/profile_type";
import type { TimeRange } from "../model/time_range";
import type { Compare, ViewState } from "../model/view_state";
import { button, h, labelled, setOptions } from "./dom";
import { FilterField, type LabelSource } from "./filter_field";
import { RangeControl } from "./range_control";

// What the page does with the two sides of a diff.
export interface SideActions {
  swap: () => void;
  onlyBase: () => void;
  onlyCurrent: () => void;
}

export type SetState = (patch: Partial<ViewState>) => void;

const COMPARES: Array<{ value: Compare; label: string }> = [
  { value: "none", label: "Off" },
  { value: "before", label: "With the span before" },
  { value: "range", label: "With another range" },
  { value: "labels", label: "With other labels" },
];

export class Controls {
  readonly element: HTMLElement;
  readonly range: RangeControl;
  readonly filter: FilterField;
  private readonly type = h("select", {
    onchange: () => this.set({ type: this.type.value, zoom: "" }),
  });
  private readonly groupBy = h("select", { onchange: () => this.setGroup(this.groupBy.value) });
  private readonly compare = h("select", { onchange: () => this.setCompare() });
  private readonly baseService = h("select", {
    onchange: () => this.set({ baseService: this.baseService.value }),
  });
  private readonly baseFilter: FilterField;
  private readonly baseFrom = h("input", { type: "text", spellcheck: "false", size: 18 });
  private readonly baseUntil = h("input", { type: "text", spellcheck: "false", size: 18 });
  private readonly baseLabels: HTMLElement;
  private readonly baseRange: HTMLElement;
  private readonly normalise = h("input", {
    type: "checkbox",
    onchange: () => this.set({ normalise: this.normalise.checked }),
  });
  private readonly normaliseLabel: HTMLElement;
  private state: ViewState | null = null;
  private readonly sides: HTMLElement;

  constructor(
    private readonly set: SetState,
    labels: LabelSource,
    sides: SideActions,
  ) {
    this.range = new RangeControl(
      (range: TimeRange) => set(range),
      (refresh) => set({ refresh }),
    );
    this.filter = new FilterField("Label filter", labels, (filter) => set({ filter }));
    this.baseFilter = new FilterField("Label filter of the baseline", labels, (baseFilter) =>
      set({ baseFilter }),
    );
    const commitBase = (): void =>
      set({ baseFrom: this.baseFrom.value.trim(), baseUntil: this.baseUntil.value.trim() });
    this.baseFrom.addEventListener("change", commitBase);
    this.baseUntil.addEventListener("change", commitBase);
    this.baseLabels = h(
      "div",
      { class: "row" },
      labelled("Baseline", this.baseService),
      this.baseFilter.element,
    );
    this.baseRange = h(
      "div",
      { class: "row" },
      labelled("Baseline from", this.baseFrom),
      labelled("until", this.baseUntil),
    );
    this.normaliseLabel = labelled("Equal weight", this.normalise);
    this.sides = h(
      "div",
      { class: "tabs", role: "group", "aria-label": "Sides of the comparison" },
      button("Only A", sides.onlyBase),
      button("Swap", sides.swap),
      button("Only B", sides.onlyCurrent),
    );
    this.element = this.layOut();
  }

  focusType(): void {
    this.type.focus();
  }

  focusGroup(): void {
    this.groupBy.focus();
  }

  focusCompare(): void {
    this.compare.focus();
  }

  show(state: ViewState, overview: Overview | null): void {
    this.state = state;
    this.range.show(state, state.refresh);
    this.filter.show(state.filter);
    const types = overview ? typesOf(overview, state.service) : [];
    const typeOptions = types.map((id) => ({ value: id, label: titleOf(parseProfileType(id)) }));
    setOptions(this.type, unambiguous(typeOptions), state.type || overview?.type || "");
    const groups = (overview?.labelNames ?? []).map((name) => ({ value: name, label: name }));
    setOptions(this.groupBy, [{ value: "", label: "Nothing" }, ...groups], state.groupBy);
    setOptions(this.compare, COMPARES, state.compare);
    this.showBase(state, overview);
  }

  private showBase(state: ViewState, overview: Overview | null): void {
    this.baseLabels.hidden = state.compare !== "labels";
    this.baseRange.hidden = state.compare !== "range";
    this.normaliseLabel.hidden = state.compare === "none";
    this.sides.hidden = state.compare === "none";
    this.normalise.checked = state.normalise;
    const services = [...(overview?.services.keys() ?? [])].sort();
    const options = services.map((name) => ({ value: name, label: name }));
    setOptions(
      this.baseService,
      [{ value: "", label: "All services" }, ...options],
      state.baseService,
    );
    this.baseFilter.show(state.baseFilter);
    if (document.activeElement !== this.baseFrom) this.baseFrom.value = state.baseFrom;
    if (document.activeElement !== this.baseUntil) this.baseUntil.value = state.baseUntil;
  }

  private setGroup(groupBy: string): void {
    this.set({ groupBy, zoom: "" });
  }

  private setCompare(): void {
    const compare = this.compare.value as Compare;
    const patch: Partial<ViewState> = { compare, zoom: "" };
    if (compare === "range" && this.baseFrom.value === "") {
      patch.baseFrom = "now-1h";
      patch.baseUntil = "now-30m";
    }
    if (compare === "labels" && this.baseService.value === "") {
      patch.baseService = this.state?.service ?? "";
      patch.baseFilter = this.state?.filter ?? "";
    }
    this.set(patch);
  }

  private layOut(): HTMLElement {
    return h(
      "div",
      { class: "controls" },
      h(
        "div",
        { class: "row" },
        labelled("Profile", this.type),
        this.range.element,
        this.normaliseLabel,
        this.sides,
      ),
      h(
        "div",
        { class: "row" },
        h("div", { class: "field grow" }, h("span", {}, "Filter"), this.filter.element),
        labelled("Split by", this.groupBy),
        labelled("Compare", this.compare),
      ),
      this.baseRange,
      this.baseLabels,
    );
  }
}

function typesOf(overview: Overview, service: string): string[] {
  return (service !== "" && overview.services.get(service)?.slice().sort()) || overview.types;
}

// Titles that two types share get the type's id behind.
function unambiguous(
  options: Array<{ value: string; label: string }>,
): Array<{ value: string; label: string }> {
  const seen = new Map<string, number>();
  for (const { label } of options) seen.set(label, (seen.get(label) ?? 0) + 1);
  return options.map((o) =>
    seen.get(o.label)! > 1 ? { ...o, label: `${o.label} (${o.value})` } : o,
  );
}
