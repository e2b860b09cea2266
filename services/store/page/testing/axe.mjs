// axe-core's serious and critical findings on a page.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

// Run through the debugging protocol, which the page's policy against foreign scripts lets pass.
export async function audit(page) {
  const session = await page.context().newCDPSession(page);
  const evaluate = (expression) =>
    session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  await evaluate(await readFile(AXE, "utf8"));
  const { result, exceptionDetails } = await evaluate(`axe.run().then((r) => r.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3).join(" | ")))`);
  await session.detach();
  if (exceptionDetails) throw new Error(exceptionDetails.text);
  return result.value;
}
