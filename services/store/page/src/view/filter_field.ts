// A label filter with completion of names and values: a combobox with a list below.

import { applyCompletion, completionAt, parseMatchers, type Completion } from "../model/selector";
import { h } from "./dom";

export interface LabelSource {
  names: () => Promise<string[]>;
  values: (label: string) => Promise<string[]>;
}

const MAX_CHOICES = 50;
let instances = 0;

export class FilterField {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly list: HTMLUListElement;
  private readonly problem: HTMLElement;
  private choices: string[] = [];
  private active = -1;
  private at: Completion | null = null;
  private request = 0;
  private committed = "";

  constructor(
    label: string,
    private readonly source: LabelSource,
    private readonly commit: (filter: string) => void,
  ) {
    const id = `filter${instances++}`;
    this.list = h("ul", {
      id: `${id}-list`,
      role: "listbox",
      "aria-label": "Completions",
      hidden: true,
    });
    this.problem = h("span", { id: `${id}-problem`, class: "problem", role: "alert" });
    this.input = h("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: 'pod="a", env=~"b|c"',
      "aria-label": label,
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "aria-controls": `${id}-list`,
      "aria-describedby": `${id}-problem`,
      oninput: () => void this.complete(),
      onclick: () => void this.complete(),
      onblur: () => this.leave(),
      onkeydown: (e) => this.key(e as KeyboardEvent),
    });
    this.element = h("div", { class: "filter" }, this.input, this.list, this.problem);
  }

  // Shows a filter set elsewhere; leaves what is being typed alone.
  show(filter: string): void {
    if (filter === this.committed) return;
    this.committed = filter;
    if (document.activeElement !== this.input) this.input.value = filter;
    this.check();
  }

  focus(): void {
    this.input.focus();
    void this.complete();
  }

  private check(): boolean {
    const { error } = parseMatchers(this.input.value);
    this.problem.textContent = error;
    this.input.setAttribute("aria-invalid", String(error !== ""));
    return error === "";
  }

  private leave(): void {
    this.close();
    this.apply();
  }

  private apply(): void {
    if (!this.check()) return;
    const filter = this.input.value.trim();
    if (filter === this.committed) return;
    this.committed = filter;
    this.commit(filter);
  }

  private completionHere(): Completion | null {
    const { value, selectionStart } = this.input;
    return completionAt(value, selectionStart ?? value.length);
  }

  private async complete(): Promise<void> {
    const at = this.completionHere();
    const request = ++this.request;
    if (!at) return this.close();
    const all = await (
      at.part === "name" ? this.source.names() : this.source.values(at.label)
    ).catch(() => [] as string[]);
    if (request !== this.request || document.activeElement !== this.input) return;
    const typed = at.prefix.toLowerCase();
    const fitting = all.filter((c) => c.toLowerCase().includes(typed) && c !== at.prefix);
    // A choice made while the answer was on its way stays.
    const chosen = this.choices[this.active];
    this.at = at;
    this.choices = fitting.slice(0, MAX_CHOICES);
    this.active = this.choices.indexOf(chosen);
    this.render();
  }

  private render(): void {
    const open = this.choices.length > 0;
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    this.list.replaceChildren(
      ...this.choices.map((choice, i) =>
        h(
          "li",
          {
            id: `${this.list.id}-${i}`,
            role: "option",
            "aria-selected": String(i === this.active),
            // Before the field loses its focus.
            onpointerdown: (e) => {
              e.preventDefault();
              this.take(choice);
            },
          },
          choice,
        ),
      ),
    );
    const current = this.active >= 0 ? `${this.list.id}-${this.active}` : "";
    this.input.setAttribute("aria-activedescendant", current);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  private close(): void {
    this.request++;
    this.choices = [];
    this.render();
  }

  private take(choice: string): void {
    // More may have been typed since the choices were asked for.
    const at = this.completionHere();
    if (!at || at.part !== this.at?.part || at.label !== this.at.label) return;
    const { text, cursor } = applyCompletion(this.input.value, at, choice);
    const finished = at.part === "value";
    this.input.value = text;
    this.input.setSelectionRange(cursor, cursor);
    this.close();
    if (finished) this.apply();
    else void this.complete();
  }

  private key(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && this.choices.length > 0) {
      const count = this.choices.length;
      this.active = (this.active + step + count) % count;
      this.render();
    } else if (event.key === "Enter" || (event.key === "Tab" && this.active >= 0)) {
      const choice = this.choices[this.active];
      if (choice !== undefined) this.take(choice);
      else this.leave();
    } else if (event.key === "Escape" && this.choices.length > 0) this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
