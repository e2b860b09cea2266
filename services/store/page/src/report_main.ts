import { readReport } from "./model/report";
import { ReportApp } from "./report_app";
import { h } from "./view/dom";

const root = document.getElementById("app");
const file = document.getElementById("profile")?.textContent ?? "null";

async function start(root: HTMLElement): Promise<void> {
  try {
    new ReportApp(await readReport(JSON.parse(file)), root).start();
  } catch (e) {
    document.documentElement.dataset.ready = "true";
    const why = e instanceof Error ? e.message : String(e);
    root.replaceChildren(
      h(
        "main",
        {},
        h(
          "section",
          { class: "empty", role: "alert" },
          h("h1", {}, "This report cannot be shown"),
          h("p", {}, why),
        ),
      ),
    );
  }
}

if (root) void start(root);
