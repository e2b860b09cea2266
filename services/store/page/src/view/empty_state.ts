// What stands in the graph's place when there is none: the cause and what to do about it.

import type { Action, Diagnosis } from "../model/diagnosis";
import { checkList, explanation } from "./check_list";
import { button, h } from "./dom";

export class EmptyState {
  readonly element = h("section", { class: "empty", role: "status", hidden: true });

  // What is written, so that a refresh does not have it read out again.
  private shown = "";

  constructor(private readonly act: (action: Action) => void) {}

  show(diagnosis: Diagnosis | null): void {
    this.element.hidden = diagnosis === null;
    const text = JSON.stringify(diagnosis);
    if (!diagnosis || text === this.shown) return;
    this.shown = text;
    this.element.dataset.cause = diagnosis.cause;
    this.element.dataset.check = diagnosis.findings[0]?.id ?? "";
    const commands = diagnosis.commands.map(({ command, tells }) =>
      h("li", {}, h("code", {}, command), h("span", {}, tells)),
    );
    const actions = diagnosis.actions.map((action) => button(action.label, () => this.act(action)));
    this.element.replaceChildren(
      h("h2", {}, diagnosis.title),
      h("p", {}, diagnosis.text),
      ...findingsOf(diagnosis),
      ...(commands.length > 0 ? [h("ul", { class: "commands" }, ...commands)] : []),
      ...(actions.length > 0 ? [h("p", { class: "actions" }, ...actions)] : []),
    );
  }
}

// The one that gave the title needs no title of its own.
function findingsOf({ title, findings }: Diagnosis): HTMLElement[] {
  const [first, ...others] = findings;
  if (!first) return [];
  if (first.title !== title) return [checkList(findings)];
  return [...explanation(first), ...(others.length > 0 ? [checkList(others)] : [])];
}
