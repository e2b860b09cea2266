// The course of the selection over time. A dragged span becomes the range in view; with Shift (or
// the second button of the bar) the baseline of a diff.

import { regular, type Timeline as Course } from "../data/loader";
import { addsUp, parseProfileType } from "../model/profile_type";
import { formatMoment, type Interval } from "../model/time_range";
import { formatRate, formatValue } from "../model/units";
import { h, refill, svg } from "./dom";

export interface TimelineScene {
  course: Course;
  type: string;
  now: number;
  // The spans of a diff, to mark; null where the whole timeline is the range.
  current: Interval | null;
  base: Interval | null;
  legend: string[];
}

const HEIGHT = 64;
const LEAST_DRAG = 4;
const SERIES_COLOURS = 10;

export class TimelineView {
  readonly element: HTMLElement;
  private readonly plot = h("div", {
    class: "plot",
    role: "slider",
    tabindex: 0,
    "aria-label": "Timeline: arrows move, Shift and arrows select, Enter applies",
  });
  private readonly begin = h("span", {});
  private readonly end = h("span", {});
  private readonly legend = h("ul", { class: "legend" });
  private readonly readout = h("span", { class: "readout" });
  private readonly axis = h("div", { class: "axis" }, this.begin, this.readout, this.end);
  private scene: TimelineScene | null = null;
  private values: number[][] = [];
  // The span being selected, in steps: where it began and where it is.
  private anchor = 0;
  private cursor = -1;
  private dragging = false;

  constructor(
    private readonly select: (interval: Interval, asBase: boolean) => void,
    private readonly filterBy: (index: number) => void,
  ) {
    this.element = h(
      "section",
      { class: "timeline", "aria-label": "Timeline" },
      this.plot,
      this.axis,
      this.legend,
    );
    this.listen();
    new ResizeObserver(() => this.render()).observe(this.plot);
  }

  show(scene: TimelineScene): void {
    this.scene = scene;
    const { course } = scene;
    this.values = course.series.map((s) => regular(s, course.interval, course.stepMs));
    if (!this.dragging) this.cursor = -1;
    this.render();
  }

  focus(): void {
    this.plot.focus();
  }

  private listen(): void {
    this.plot.addEventListener("pointerdown", (e) => this.press(e));
    this.plot.addEventListener("pointermove", (e) => this.drag(e));
    this.plot.addEventListener("pointerup", (e) => this.release(e));
    this.plot.addEventListener("pointerleave", () => {
      if (!this.dragging) this.point(-1, false);
    });
    this.plot.addEventListener("keydown", (e) => this.key(e));
  }

  private get steps(): number {
    return this.values[0]?.length ?? 0;
  }

  private stepAt(event: PointerEvent): number {
    const bounds = this.plot.getBoundingClientRect();
    const share = (event.clientX - bounds.left) / Math.max(bounds.width, 1);
    return Math.min(Math.max(Math.floor(share * this.steps), 0), this.steps - 1);
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0 || this.steps === 0) return;
    this.dragging = true;
    this.plot.setPointerCapture(event.pointerId);
    this.point(this.stepAt(event), false);
    this.plot.dataset.from = String(event.clientX);
    event.preventDefault();
    this.plot.focus();
  }

  private drag(event: PointerEvent): void {
    if (this.steps > 0) this.point(this.stepAt(event), this.dragging);
  }

  private release(event: PointerEvent): void {
    if (!this.dragging) return;
    this.dragging = false;
    const moved = Math.abs(event.clientX - Number(this.plot.dataset.from));
    if (moved >= LEAST_DRAG) this.apply(event.shiftKey);
  }

  private key(event: KeyboardEvent): void {
    if (this.steps === 0) return;
    const last = this.steps - 1;
    const from = this.cursor < 0 ? last : this.cursor;
    const moves: Record<string, number> = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      Home: 0,
      End: last,
    };
    if (event.key in moves) {
      this.point(Math.min(Math.max(moves[event.key], 0), last), event.shiftKey);
    } else if (event.key === "Enter") this.apply(event.shiftKey);
    else if (event.key === "Escape" && this.cursor >= 0) this.point(-1, false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private point(step: number, extend: boolean): void {
    if (!extend) this.anchor = step;
    this.cursor = step;
    this.render();
  }

  private span(): Interval | null {
    if (!this.scene || this.cursor < 0) return null;
    const { interval, stepMs } = this.scene.course;
    const [low, high] = [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
    return { start: interval.start + low * stepMs, end: interval.start + (high + 1) * stepMs };
  }

  private apply(asBase: boolean): void {
    const span = this.span();
    this.cursor = -1;
    if (span) this.select(span, asBase);
    this.render();
  }

  private render(): void {
    const width = this.plot.clientWidth;
    if (!this.scene || width === 0) return;
    const grouped = this.values.length > 1;
    const max = Math.max(...this.values.map((v) => Math.max(...v, 0)), 0) || 1;
    const shapes = grouped ? this.lines(width, max) : this.bars(width, max);
    this.plot.replaceChildren(
      svg(
        "svg",
        { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
        ...shapes,
        this.band(this.scene.base, "base", "A", width),
        this.band(this.scene.current, "current", "B", width),
        this.band(this.cursor >= 0 ? this.span() : null, "selecting", "", width),
      ),
    );
    this.renderText(max);
    this.renderLegend(grouped);
  }

  private bars(width: number, max: number): SVGElement[] {
    const values = this.values[0] ?? [];
    const step = width / Math.max(values.length, 1);
    return values.flatMap((value, i) => {
      if (value <= 0) return [];
      const height = Math.max((value / max) * (HEIGHT - 6), 1);
      return [
        svg("rect", {
          class: "bar",
          x: (i * step).toFixed(2),
          y: (HEIGHT - height).toFixed(2),
          width: Math.max(step - (step > 3 ? 1 : 0), 0.5).toFixed(2),
          height: height.toFixed(2),
        }),
      ];
    });
  }

  private lines(width: number, max: number): SVGElement[] {
    return this.values.slice(0, SERIES_COLOURS).map((values, index) => {
      const step = width / Math.max(values.length, 1);
      const points = values.map(
        (v, i) =>
          `${((i + 0.5) * step).toFixed(1)},${(HEIGHT - 2 - (v / max) * (HEIGHT - 8)).toFixed(1)}`,
      );
      return svg("polyline", { class: `line series${index}`, points: points.join(" ") });
    });
  }

  private band(
    span: Interval | null,
    name: string,
    mark: string,
    width: number,
  ): SVGElement | null {
    if (!span || !this.scene) return null;
    const { start, end } = this.scene.course.interval;
    const x = ((span.start - start) / (end - start)) * width;
    const w = Math.max(((span.end - span.start) / (end - start)) * width, 2);
    return svg(
      "g",
      { class: `band ${name}` },
      svg("rect", { x: x.toFixed(1), y: 0, width: w.toFixed(1), height: HEIGHT }),
      mark ? svg("text", { x: (x + 5).toFixed(1), y: 14 }, mark) : null,
    );
  }

  private renderText(max: number): void {
    const { course, now } = this.scene!;
    const { start, end } = course.interval;
    this.begin.textContent = formatMoment(start, now);
    this.end.textContent = formatMoment(end, now);
    const span = this.span();
    const text = span
      ? `${formatMoment(span.start, now)} – ${formatMoment(span.end, now)}: ${this.level(span)}`
      : `peak ${this.format(max)}`;
    this.readout.textContent = text;
    this.plot.setAttribute("aria-valuemin", "0");
    this.plot.setAttribute("aria-valuemax", String(Math.max(this.steps - 1, 0)));
    this.plot.setAttribute("aria-valuenow", String(Math.max(this.cursor, 0)));
    this.plot.setAttribute("aria-valuetext", text);
  }

  private level(span: Interval): string {
    const { interval, stepMs } = this.scene!.course;
    const low = Math.round((span.start - interval.start) / stepMs);
    const high = Math.round((span.end - interval.start) / stepMs);
    let sum = 0;
    for (const values of this.values) for (let i = low; i < high; i++) sum += values[i] ?? 0;
    return this.format(sum / Math.max(high - low, 1));
  }

  private format(perStep: number): string {
    const type = parseProfileType(this.scene!.type);
    return addsUp(type)
      ? formatRate(perStep, type.unit, this.scene!.course.stepMs / 1000)
      : formatValue(perStep, type.unit);
  }

  private renderLegend(grouped: boolean): void {
    const titles = grouped ? this.scene!.legend.slice(0, SERIES_COLOURS) : [];
    this.legend.hidden = titles.length === 0;
    refill(
      this.legend,
      ...titles.map((title, i) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", title: `Show only ${title}`, onclick: () => this.filterBy(i) },
            h("span", { class: `swatch series${i}`, "aria-hidden": "true" }),
            title,
          ),
        ),
      ),
    );
  }
}
