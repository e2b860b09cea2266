// The host's state: a button that shows only when something is wrong, and the sheet behind it.

import { problemsOf, summaryOf, type Check } from "../model/checks";
import { checkList } from "./check_list";
import { button, h } from "./dom";

export class Health {
  readonly button = button("", () => this.open(), { class: "health", hidden: true });
  readonly sheet = h("dialog", { class: "sheet", "aria-label": "This host" });
  private readonly content = h("div", {});
  private shown = "[]";
  private checks: Check[] = [];

  constructor() {
    this.sheet.append(
      h("h2", { tabindex: -1, autofocus: true }, "This host, as stoker doctor sees it"),
      this.content,
      h(
        "p",
        { class: "actions" },
        button("Close", () => this.sheet.close()),
      ),
    );
    this.fill();
  }

  show(checks: Check[]): void {
    const text = JSON.stringify(checks);
    if (text === this.shown) return;
    this.shown = text;
    this.checks = checks;
    const problems = problemsOf(checks);
    this.button.hidden = problems.length === 0;
    this.button.classList.toggle("error", problems[0]?.level === "error");
    this.button.textContent = summaryOf(problems);
    this.button.title = "What stoker doctor found (k)";
    this.fill();
  }

  open(): void {
    this.sheet.showModal();
  }

  private fill(): void {
    const problems = problemsOf(this.checks);
    const fine = this.checks.filter((check) => check.level === "ok");
    const none =
      "The store has not been told: it was started alone, not by stoker run or stoker lab. " +
      "On the host, stoker doctor says the same.";
    this.content.replaceChildren(
      this.checks.length === 0 ? h("p", {}, none) : checkList([...problems, ...fine]),
    );
  }
}
