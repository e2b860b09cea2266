// Chromium for the browser tests, with all that would call home switched off.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// A browser with an empty profile of its own; `close` removes it.
export async function openBrowser({ width = 1280, height = 800, dark = false } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "stoker-page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    acceptDownloads: true,
  });
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { context, page: context.pages()[0] ?? (await context.newPage()), close };
}

// Waits until the page has drawn what it loaded, or says why it has nothing.
export async function untilReady(page) {
  await page.locator("html[data-ready=true]").waitFor({ state: "attached" });
}
