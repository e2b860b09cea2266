// Takes a picture of the page once its flame graph is drawn.
//   node screenshot.mjs URL OUT.png [WIDTH] [dark]

import { openBrowser, untilReady } from "./testing/browser.mjs";

const [, , url, out, width = "1280", theme = "light"] = process.argv;
if (!url || !out) {
  console.error("usage: node screenshot.mjs URL OUT.png [WIDTH] [dark]");
  process.exit(2);
}
const phone = Number(width) < 760;
const browser = await openBrowser({
  width: Number(width),
  height: phone ? 844 : 800,
  dark: theme === "dark",
});
try {
  browser.page.on("console", (m) => m.type() === "error" && console.error(m.text()));
  browser.page.on("pageerror", (e) => console.error(String(e)));
  await browser.page.goto(url);
  await untilReady(browser.page);
  await browser.page.screenshot({ path: out, fullPage: phone });
} finally {
  await browser.close();
}
