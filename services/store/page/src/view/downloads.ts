// Files of what is in view.

import { toFolded } from "../model/folded";
import { toSpeedscope } from "../model/speedscope";
import { toSvg, type SvgOptions } from "../model/svg";
import type { Node, Tree } from "../model/tree";
import { button, h } from "./dom";

export interface DownloadSource {
  // The tree in view after transformations, and what is zoomed to.
  tree: Tree;
  zoom: Node;
  // A name for people and for the file.
  title: string;
  unit: string;
  paint: SvgOptions["paint"];
  // The profile's pprof, merged and before transformations; null where there is none to give.
  pprof: (() => Promise<Uint8Array>) | null;
  // A page that shows the profile alone; null where it is one.
  report: ((gzip: Uint8Array) => Promise<string>) | null;
}

const SVG_WIDTH = 1400;

export class Downloads {
  readonly element: HTMLDetailsElement;
  private readonly status = h("span", { class: "problem", role: "status" });

  // `has`: which of the files that not every source has are offered.
  constructor(
    private readonly source: () => DownloadSource | null,
    has: { pprof: boolean; report: boolean },
  ) {
    const item = (label: string, run: (s: DownloadSource) => void | Promise<void>): HTMLElement =>
      h(
        "li",
        {},
        button(label, () => void this.run(run)),
      );
    this.element = h(
      "details",
      { class: "menu" },
      h("summary", { title: "Download (o)" }, "Download"),
      h(
        "ul",
        {},
        has.pprof ? item("pprof (.pb.gz)", savePprof) : null,
        item("Folded stacks (.folded)", (s) =>
          save(s, "folded", "text/plain", toFolded(s.tree.root)),
        ),
        item("speedscope (.json)", (s) =>
          save(
            s,
            "speedscope.json",
            "application/json",
            toSpeedscope(s.tree.root, s.title, s.unit),
          ),
        ),
        item("Picture (.svg)", (s) =>
          save(s, "svg", "image/svg+xml", toSvg(s.tree, s.zoom, { ...s, width: SVG_WIDTH })),
        ),
        has.report ? item("Page that opens alone (.html)", saveReport) : null,
      ),
      this.status,
    );
    this.element.addEventListener("keydown", (e) => this.key(e));
    document.addEventListener("click", (e) => {
      if (!this.element.contains(e.target as globalThis.Node)) this.element.open = false;
    });
  }

  open(): void {
    this.element.open = true;
    this.element.querySelector<HTMLElement>("ul button")?.focus();
  }

  private async run(save: (source: DownloadSource) => void | Promise<void>): Promise<void> {
    const source = this.source();
    if (!source) {
      this.status.textContent = "There is nothing to download.";
      return;
    }
    this.status.textContent = "";
    try {
      await save(source);
      this.element.open = false;
    } catch (e) {
      this.status.textContent = `The download failed: ${e instanceof Error ? e.message : e}`;
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !this.element.open) return;
    this.element.open = false;
    this.element.querySelector("summary")?.focus();
    event.stopPropagation();
    event.preventDefault();
  }
}

async function savePprof(source: DownloadSource): Promise<void> {
  save(source, "pb.gz", "application/gzip", new Blob([(await gzipOf(source)) as BlobPart]));
}

async function saveReport(source: DownloadSource): Promise<void> {
  const page = await source.report!(await gzipOf(source));
  save(source, "html", "text/html", page);
}

async function gzipOf(source: DownloadSource): Promise<Uint8Array> {
  if (!source.pprof) throw new Error("this report was made without the pprof");
  const bytes = await source.pprof();
  const zipped = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}

function save(source: DownloadSource, suffix: string, type: string, content: string | Blob): void {
  const name = source.title.replace(/[^\w.-]+/g, "-").replace(/^-|-$/g, "");
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: `${name || "profile"}.${suffix}` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
