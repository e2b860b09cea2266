// The services of the range, busiest first, each with its course over time.

import type { Overview } from "../data/loader";
import { addsUp, parseProfileType } from "../model/profile_type";
import { formatValue } from "../model/units";
import { button, h, refill, svg } from "./dom";

const SPARK_WIDTH = 52;
const SPARK_HEIGHT = 18;
const SEARCH_FROM = 9;

interface Entry {
  name: string;
  course: number[];
  sum: number;
}

export class ServiceList {
  readonly element: HTMLElement;
  private readonly list = h("ul", { class: "services" });
  private readonly search = h("input", {
    type: "search",
    placeholder: "Find a service",
    "aria-label": "Find a service",
    oninput: () => this.render(),
  });
  private overview: Overview | null = null;
  private courses: Overview["courses"] | null = null;
  private service: string | null = null;

  constructor(private readonly choose: (service: string) => void) {
    this.element = h(
      "nav",
      { class: "sidebar", "aria-label": "Services" },
      h("h2", {}, "Services"),
      this.search,
      this.list,
    );
    this.list.addEventListener("keydown", (e) => this.move(e));
  }

  show(overview: Overview | null, service: string): void {
    const courses = overview?.courses ?? null;
    if (overview === this.overview && courses === this.courses && service === this.service) return;
    this.overview = overview;
    this.courses = courses;
    this.service = service;
    this.render();
  }

  focus(): void {
    const current = this.list.querySelector<HTMLElement>("[aria-current]");
    (current ?? this.list.querySelector("button"))?.focus();
  }

  private render(): void {
    const entries = this.entries();
    this.search.hidden = entries.length < SEARCH_FROM;
    const wanted = this.search.hidden ? "" : this.search.value.trim().toLowerCase();
    const shown = entries.filter((e) => e.name.toLowerCase().includes(wanted));
    const all = { name: "", course: sumOf(entries), sum: 0 };
    all.sum = all.course.reduce((a, b) => a + b, 0);
    refill(this.list, ...[all, ...shown].map((entry) => this.row(entry)));
  }

  private entries(): Entry[] {
    if (!this.overview) return [];
    const names = new Set([...this.overview.services.keys(), ...this.overview.courses.keys()]);
    const entries = [...names].map((name): Entry => {
      const course = this.overview!.courses.get(name) ?? [];
      return { name, course, sum: course.reduce((a, b) => a + b, 0) };
    });
    return entries.sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
  }

  private row(entry: Entry): HTMLElement {
    const title = entry.name || "All services";
    const value = this.valueOf(entry);
    const item = button("", () => this.choose(entry.name), {
      "data-key": entry.name,
      "aria-current": entry.name === this.service ? "true" : null,
      "aria-label": `${title}${value ? `, ${value}` : ""}`,
      title,
    });
    item.append(
      h("span", { class: "name" }, title),
      sparkline(entry.course),
      h("span", { class: "value" }, value),
    );
    return h("li", {}, item);
  }

  private valueOf({ sum, course }: Entry): string {
    if (!this.overview || course.length === 0) return "";
    const type = parseProfileType(this.overview.type);
    if (!addsUp(type)) return formatValue(course[course.length - 1], type.unit);
    return formatValue(sum, type.unit);
  }

  private move(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    const buttons = [...this.list.querySelectorAll<HTMLElement>("button")];
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)]?.focus();
    event.preventDefault();
  }
}

function sumOf(entries: Entry[]): number[] {
  const sums: number[] = [];
  for (const { course } of entries) course.forEach((v, i) => (sums[i] = (sums[i] ?? 0) + v));
  return sums;
}

function sparkline(course: number[]): SVGElement {
  // The newest step is often still on its way; drawn as zero it would look like a stop.
  const values = course[course.length - 1] === 0 ? course.slice(0, -1) : course;
  const max = Math.max(...values, 0) || 1;
  const step = SPARK_WIDTH / Math.max(values.length - 1, 1);
  const y = (v: number): string => (SPARK_HEIGHT - 1 - (v / max) * (SPARK_HEIGHT - 2)).toFixed(1);
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${y(v)}`);
  const area = `0,${SPARK_HEIGHT} ${points.join(" ")} ${SPARK_WIDTH},${SPARK_HEIGHT}`;
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, "aria-hidden": "true" },
    values.length > 1 ? svg("polygon", { points: area }) : null,
    values.length > 1 ? svg("polyline", { points: points.join(" ") }) : null,
  );
}
