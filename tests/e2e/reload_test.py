#!/usr/bin/python3
"""A changed configuration reaches all processes or none, and a bad part of it harms nothing else."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, PROCESSES, STOKER, Pipeline, wait_for  # noqa: E402
import xml_report  # noqa: E402

NANOSECONDS = 1_000_000_000

CONFIG = """
import.file "lib" {
	filename = file.path_join(module_path, "lib.txt")
}

lib.everything "host" { }

discovery.relabel "named" {
	targets = lib.everything.host.targets

	rule {
		source_labels = ["__meta_process_exe"]
		regex         = "%(regex)s"
		target_label  = "service_name"
	}
}

local.file "colour" {
	filename = "%(folder)s/colour"
}

pyroscope.ebpf "host" {
	targets          = discovery.relabel.named.output
	forward_to       = [pyroscope.write.store.receiver]
	collect_interval = "1s"
	sample_rate      = 97
}

pyroscope.write "store" {
	endpoint {
		url = "http://127.0.0.1:%(port)d"
	}
	external_labels = {
		"colour" = local.file.colour.content,
	}
}
"""

LIBRARY = """
declare "everything" {
	discovery.process "all" {
		refresh_interval = "2s"
	}

	export "targets" {
		value = discovery.process.all.targets
	}
}
"""

GOOD_REGEX = ".*/([^/]+)"


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class ReloadTest(unittest.TestCase):
    """One pipeline, and a program that burns one core throughout."""

    @classmethod
    def setUpClass(cls):
        cls.pipeline = Pipeline()
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.write("lib.txt", LIBRARY)
        cls.write("colour", "green")
        cls.write_config()
        cls.pipeline.start_store()
        cls.pipeline.start()
        cls.burner = subprocess.Popen([os.path.join(FIXTURES, "hot"), "600"],
                                      stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls.burner.wait)
        cls.addClassCleanup(cls.burner.kill)
        wait_for("first samples", lambda: cls.pipeline.store.total("hot") > 0, 60)

    @classmethod
    def write(cls, name, text):
        """Replaces a file of the configuration's folder in one step."""
        path = os.path.join(cls.pipeline.folder, name)
        with open(path + ".next", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".next", path)

    @classmethod
    def write_config(cls, regex=GOOD_REGEX):
        cls.write("test.alloy", CONFIG % {"regex": regex, "folder": cls.pipeline.folder,
                                          "port": cls.pipeline.store_port})

    def reload(self):
        """(status, text) of POST /-/reload."""
        return self.pipeline.ask_gateway("POST", "/-/reload")

    def healthy(self):
        return self.pipeline.ask_gateway("GET", "/-/healthy")

    def hashes(self):
        """The configuration that each process says it runs."""
        return {name: self.pipeline.state(name)["config_hash"] for name in PROCESSES[1:]}

    def check_flow(self):
        stored = self.pipeline.store.total("hot")
        wait_for("samples in the store",
                 lambda: self.pipeline.store.total("hot") - stored > NANOSECONDS // 2, 30)

    def status(self):
        """(exit status, what `stoker status --json` prints)."""
        done = subprocess.run([STOKER, "status", "--json",
                               f"--address=127.0.0.1:{self.pipeline.http_port}"],
                              capture_output=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def test_1_all_run_the_same(self):
        """Every process has loaded the same texts, the imported one too."""
        hashes = self.hashes()
        self.assertEqual(len(set(hashes.values())), 1, hashes)
        code, report = self.status()
        self.assertEqual(code, 0, report)
        self.assertEqual(report["configuration"]["hash"], hashes["discovery"])
        self.assertIn("pyroscope.ebpf.host", [c["id"] for c in report["components"]])

    def test_2_bad_regex(self):
        """One component is unhealthy and named; its old targets still flow; the rest proceeds."""
        before = self.hashes()
        self.write_config(regex="(")
        self.assertEqual(self.reload(), (200, "config reloaded\n"))
        after = self.hashes()
        self.assertEqual(len(set(after.values())), 1, after)
        self.assertNotEqual(after, before)
        wait_for("unhealthy", lambda: self.healthy() ==
                 (500, "unhealthy components: discovery.relabel.named\n"))
        self.check_flow()
        code, report = self.status()
        self.assertEqual(code, 1)
        bad = [c for c in report["components"] if c["health"] != "healthy"]
        self.assertEqual([c["id"] for c in bad], ["discovery.relabel.named"])
        self.assertIn("missing )", bad[0]["message"])

    def test_3_broken_file(self):
        """It is refused everywhere, with its place; nothing changes."""
        before = self.hashes()
        self.write("test.alloy", "pyroscope.write \"x\" {\n\tendpoint {\n")
        status, text = self.reload()
        self.assertEqual(status, 400)
        self.assertIn("test.alloy:3:1: expected }, got EOF", text)
        self.assertEqual(self.hashes(), before)
        self.assertFalse(self.status()[1]["configuration"]["last_load_successful"])
        self.check_flow()

    def test_4_broken_import(self):
        """The same of a file that is imported."""
        before = self.hashes()
        self.write_config()
        self.write("lib.txt", LIBRARY + "}")
        self.assertEqual(self.reload()[0], 400)
        self.assertEqual(self.hashes(), before)
        self.write("lib.txt", LIBRARY)

    def test_5_back_to_good(self):
        """SIGHUP takes a good file over; all is healthy again."""
        self.write_config()
        self.pipeline.process.send_signal(signal.SIGHUP)
        wait_for("healthy", lambda: self.healthy() == (200, "All components are healthy.\n"))
        self.assertEqual(self.status()[0], 0)
        self.check_flow()

    def test_6_contents_change(self):
        """What a local.file holds is taken over without a reload."""
        self.write("colour", "blue")
        wait_for("the new label", lambda: "blue" in self.pipeline.store.label_values("colour"), 30)

    def test_7_discovery_killed(self):
        """No consumer's list empties while discovery is away and while it looks anew."""
        def targets():
            return self.pipeline.state("ebpf-collector")["ebpf"]["streams"][
                "pyroscope.ebpf.host"]["targets"]
        before = targets()
        self.assertGreater(before, 5)
        pid = self.pipeline.pid("discovery")
        os.kill(pid, signal.SIGKILL)
        lowest, end, back = before, time.monotonic() + 20, False
        while time.monotonic() < end and not back:
            lowest = min(lowest, targets())
            back = self.pipeline.pid("discovery") not in (0, pid) and \
                self.pipeline.is_ready("discovery")
        self.assertTrue(back)
        self.check_flow()
        lowest = min(lowest, targets())
        self.assertGreater(lowest, before // 2)


if __name__ == "__main__":
    xml_report.main()
