// A report: one profile that the page carries in itself, without a store and without any network.

import { reportKeyGroups } from "./keys";
import { parseProfileType, titleOf } from "./model/profile_type";
import type { Report } from "./model/report";
import { formatState, parseState, type ViewState } from "./model/view_state";
import { copyText } from "./view/clipboard";
import { h, setOptions } from "./view/dom";
import { Downloads, type DownloadSource } from "./view/downloads";
import { ProfilePanel } from "./view/profile_panel";
import { Shortcuts } from "./view/shortcuts";
import { ThemeChoice } from "./view/theme";

export class ReportApp {
  private state: ViewState;
  private shownType = "";
  private readonly theme: ThemeChoice;
  private readonly panel: ProfilePanel;
  private readonly downloads: Downloads;
  private readonly shortcuts: Shortcuts;
  private readonly status = h("span", { class: "status", role: "status" });
  private readonly type = h("select", {
    "aria-label": "Profile type",
    onchange: () => this.set({ type: this.type.value, zoom: "" }),
  });

  constructor(
    private readonly report: Report,
    root: HTMLElement,
  ) {
    this.state = this.stateOfUrl();
    const set = (patch: Partial<ViewState>): void => this.set(patch);
    const copy = (text: string): void => this.copy(text);
    this.panel = new ProfilePanel(set, copy);
    this.downloads = new Downloads(() => this.downloadSource(), {
      pprof: report.pprof !== null,
      report: false,
    });
    this.theme = new ThemeChoice(() => this.render());
    const { panel, downloads } = this;
    const targets = {
      state: () => this.state,
      ...{ set, panel, downloads, copy },
      nextTheme: () => this.theme.next(),
      showSheet: () => this.shortcuts.sheet.showModal(),
    };
    this.shortcuts = new Shortcuts(reportKeyGroups(targets), [
      "In the flame graph",
      "In the search",
      "In the table",
    ]);
    this.layOut(root);
    addEventListener("popstate", () => this.adopt(this.stateOfUrl()));
  }

  start(): void {
    this.render();
    document.documentElement.dataset.ready = "true";
    requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("drawn")));
  }

  // The view is kept behind the #: a file has no query of its own. A bare address shows what the
  // report was made to show; one with a # and nothing behind it, the whole.
  private stateOfUrl(): ViewState {
    return parseState(location.href.includes("#") ? location.hash.slice(1) : this.report.view);
  }

  private layOut(root: HTMLElement): void {
    const { title, detail } = this.report;
    const header = h(
      "header",
      {},
      h("span", { class: "brand" }, h("h1", {}, title)),
      h("span", { class: "detail", title: detail }, detail),
      this.status,
      h("span", { class: "grow" }),
      this.type,
      this.downloads.element,
      this.theme.button,
      this.shortcuts.button,
    );
    const content = h("main", { class: "report" }, this.panel.element);
    root.replaceChildren(header, content, this.shortcuts.sheet);
    document.title = title;
  }

  private set(patch: Partial<ViewState>): void {
    const next = { ...this.state, ...patch };
    const url = `#${formatState(next).slice(1)}`;
    try {
      if (Object.keys(patch).every((key) => key === "search")) history.replaceState(null, "", url);
      else history.pushState(null, "", url);
    } catch {
      // A frame without an address of its own has no history; the view changes all the same.
    }
    this.adopt(next);
  }

  private adopt(next: ViewState): void {
    this.state = next;
    this.render();
  }

  private render(): void {
    const { report, state } = this;
    if (!this.theme) return;
    const wanted = report.types.includes(state.type) ? state.type : report.shownFirst;
    const { type, root } = report.profile(wanted);
    if (type !== this.shownType) this.panel.invalidate();
    this.shownType = type;
    const options = report.types.map((id) => ({ value: id, label: titleOf(parseProfileType(id)) }));
    setOptions(this.type, options, type);
    this.type.hidden = options.length < 2;
    this.panel.show(state, { type, current: { root }, base: null }, this.theme.dark);
  }

  private downloadSource(): DownloadSource | null {
    const { view, unit } = this.panel;
    const { title, pprof } = this.report;
    if (!view) return null;
    return {
      ...view,
      ...{ title, unit },
      paint: (node) => this.panel.paint(node),
      report: null,
      pprof: pprof && (() => Promise.resolve(pprof)),
    };
  }

  private copy(text: string): void {
    void copyText(text, "Name copied").then((said) => (this.status.textContent = said));
  }
}
