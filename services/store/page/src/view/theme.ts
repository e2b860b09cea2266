// Light, dark, or as the system says. Kept in this browser, not in links.

import { recall, remember } from "./browser_memory";
import { button } from "./dom";

export type Theme = "auto" | "light" | "dark";

const KEY = "stoker.theme";
const ORDER: Theme[] = ["auto", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

export class ThemeChoice {
  readonly button = button("", () => this.next(), { class: "icon" });
  private theme: Theme = "auto";

  // `changed` is called after the page has its new colours.
  constructor(private readonly changed: () => void) {
    const stored = recall(KEY);
    if (stored === "light" || stored === "dark") this.theme = stored;
    system.addEventListener("change", () => this.apply());
    this.apply();
  }

  get name(): Theme {
    return this.theme;
  }

  get dark(): boolean {
    return this.theme === "dark" || (this.theme === "auto" && system.matches);
  }

  next(): void {
    this.theme = ORDER[(ORDER.indexOf(this.theme) + 1) % ORDER.length];
    remember(KEY, this.theme === "auto" ? null : this.theme);
    this.apply();
  }

  private apply(): void {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    this.button.textContent = { auto: "◐", light: "☀", dark: "☾" }[this.theme];
    const title = `Theme: ${this.theme} (b)`;
    this.button.title = title;
    this.button.setAttribute("aria-label", title);
    this.changed();
  }
}
