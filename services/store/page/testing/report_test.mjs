// The report in Chromium, opened from a file as a reader would: no server, no network.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { audit } from "./axe.mjs";
import { openBrowser, untilReady } from "./browser.mjs";
import { flameGraph, pprof } from "./encode.mjs";
import { series } from "./fixture.mjs";

const PLACE = '<script id="profile" type="application/json">null</script>';
const STACKS = series[0].stacks.map(([frames, share]) => [frames, share * 1e7]);
const ABOUT = { title: "./checkout --serve", detail: "host web-1, 10 s" };
const PPROF = gzipSync(
  pprof(STACKS, {
    ...{ sampleType: "cpu", unit: "nanoseconds", periodType: "cpu", periodUnit: "nanoseconds" },
    timeMs: 1,
  }),
).toString("base64");

let folder;
let browser;
let page;
let requests;
let complaints;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-report-"));
  browser = await openBrowser();
  ({ page } = browser);
  browser.context.on("request", (r) => requests.push(r.url()));
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

function flamebearerOf(stacks) {
  const { names, levels, total, maxSelf } = flameGraph(stacks);
  return {
    names,
    levels: levels.map(({ values }) => values.map(Number)),
    numTicks: Number(total),
    maxSelf: Number(maxSelf),
  };
}

// Writes a report as `stoker record` does, opens it and waits until it is drawn.
async function open(profile) {
  const template = await readFile(process.env.REPORT, "utf8");
  const json = JSON.stringify(profile).replaceAll("<", "\\u003c");
  const file = join(folder, "report.html");
  await writeFile(
    file,
    template.replace(PLACE, () => PLACE.replace("null", json)),
  );
  requests = [];
  complaints = [];
  await page.goto("about:blank");
  await page.goto(pathToFileURL(file).href);
  await untilReady(page);
}

const metadata = { units: "samples", name: "cpu", sampleRate: 1e9 };
const flame = () => page.getByRole("tree", { name: "Flame graph" });

for (const [name, profile] of [
  ["flamebearer", { flamebearer: flamebearerOf(STACKS), metadata }],
  ["pprof", { pprof: PPROF }],
]) {
  test(`a report of a ${name} opens alone and asks for nothing`, async () => {
    await open({ ...ABOUT, ...profile });
    assert.equal(await page.title(), "./checkout --serve");
    await page.getByText("host web-1, 10 s").waitFor();
    assert.match(
      await flame().getByRole("treeitem").first().textContent(),
      /all stacks, 100\.0 % of all, 9\.19 s/,
    );
    assert.equal(await page.locator(".top tbody tr").count(), 16);
    assert.deepEqual(
      requests.filter((url) => !url.startsWith("data:")),
      [page.url()],
    );
    assert.deepEqual(complaints, []);
  });
}

test("a report is searched, zoomed and turned by keyboard, and its link keeps the view", async () => {
  await open({ ...ABOUT, pprof: PPROF });
  await page.keyboard.press("/");
  await page.keyboard.type("json");
  await page.getByText(/^\d+\.\d % in \d+ frames$/).waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Search functions").fill("");
  await page.keyboard.press("Tab");
  await page.keyboard.press("w");
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.match(page.url(), /#.*zoom=/);
  await page.keyboard.press("i");
  await page.keyboard.press("1");
  assert.match(page.url(), /view=flame/);
  assert.match(page.url(), /inverted=true/);
  await page.reload();
  await untilReady(page);
  await page.getByRole("button", { name: "Invert", pressed: true }).waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Both", pressed: true }).waitFor();
});

test("a report gives its pprof back, and the other formats", async () => {
  await open({ ...ABOUT, pprof: PPROF });
  const download = async (label) => {
    await page.keyboard.press("o");
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: label }).click(),
    ]);
    return readFile(await file.path());
  };
  const bytes = gunzipSync(Buffer.from(PPROF, "base64"));
  assert.deepEqual(gunzipSync(await download(/pprof/)), bytes);
  assert.match((await download(/Folded/)).toString(), /^_start;main;.* \d+$/m);
  await open({ ...ABOUT, flamebearer: flamebearerOf(STACKS), metadata });
  await page.keyboard.press("o");
  assert.equal(await page.getByRole("button", { name: /pprof/ }).count(), 0);
});

test("a name that would end the script is only a name", async () => {
  const hostile = "</script><script>alert(1)</script>";
  const frames = [{ ...STACKS[0][0][0], name: hostile }];
  await open({ ...ABOUT, flamebearer: flamebearerOf([[frames, 5]]), metadata });
  await page.getByRole("button", { name: hostile, exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});

test("a report without a profile says so", async () => {
  await open(null);
  await page.getByText("nobody has put a profile into this page").waitFor();
});

for (const dark of [false, true]) {
  test(`axe finds nothing serious in a report, ${dark ? "dark" : "light"}`, async () => {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await open({ ...ABOUT, pprof: PPROF });
    assert.deepEqual(await audit(page), []);
  });
}

test("on a phone a report is no wider than the screen", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open({ ...ABOUT, pprof: PPROF });
  assert.equal(await page.locator("html").evaluate((html) => html.scrollWidth), 390);
});
