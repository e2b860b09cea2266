#!/usr/bin/python3
"""The page of the embedded store, in a real browser, with the samples of a real program."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, Pipeline, wait_for  # noqa: E402
import xml_report  # noqa: E402

# The scripts find their node_modules beside the real file, not beside the runfiles' link.
PAGE = os.path.dirname(os.path.realpath("services/store/page/screenshot.mjs"))

SCRIPT = """
import { openBrowser, untilReady } from "%s/testing/browser.mjs";
const [, , url, out] = process.argv;
const foreign = [], errors = [];
const browser = await openBrowser({ width: 1280, height: 800 });
try {
  browser.page.on("request", (r) => r.url().startsWith(url) || foreign.push(r.url()));
  browser.page.on("pageerror", (e) => errors.push(String(e)));
  await browser.page.goto(url);
  await untilReady(browser.page);
  await browser.page.screenshot({ path: out });
  const text = await browser.page.innerText("body");
  console.log(JSON.stringify({ text, foreign, errors }));
} finally {
  await browser.close();
}
"""


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class PageTest(unittest.TestCase):
    def test_shows_the_program(self):
        """The page lists the program as a service and its functions in the table; it asks nobody else
        for anything and raises no error."""
        self.assertTrue(shutil.which("node"), "node is missing: make setup")
        with Pipeline(interval="2s", with_store=True) as pipeline:
            pipeline.start()
            subprocess.run([os.path.join(FIXTURES, "hot"), "5"], check=True, capture_output=True)
            wait_for("samples in the store", lambda: pipeline.store.total("hot") > 4e9, 30)
            folder = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR", pipeline.folder)
            script = os.path.join(pipeline.folder, "look.mjs")
            with open(script, "w", encoding="utf-8") as file:
                file.write(SCRIPT % PAGE)
            done = subprocess.run(
                ["node", script, f"http://127.0.0.1:{pipeline.store_port}/", folder + "/page.png"],
                check=True, capture_output=True, timeout=120)
        seen = json.loads(done.stdout.decode().splitlines()[-1])
        self.assertEqual(seen["foreign"], [])
        self.assertEqual(seen["errors"], [])
        for word in ("hot", "cold", "CPU time"):
            self.assertIn(word, seen["text"])


if __name__ == "__main__":
    xml_report.main()
