#!/usr/bin/python3
"""`stoker doctor` names what is wrong with real processes, and so do /api/doctor and the store's file."""
import json
import os
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import STOKER, Pipeline, wait_for  # noqa: E402
import xml_report  # noqa: E402

# Rules that leave no target, for a second collector component beside the harness' own.
DROP_ALL = """
discovery.relabel "none" {
	targets = discovery.process.all.targets

	rule {
		source_labels = ["__meta_process_exe"]
		regex         = "/no/such/program"
		action        = "keep"
	}
}

pyroscope.ebpf "none" {
	targets    = discovery.relabel.none.output
	forward_to = [pyroscope.write.store.receiver]
}
"""


def problems(checks):
    """{id: level} of what is not well."""
    return {check["id"]: check["level"] for check in checks if check["level"] != "ok"}


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class DoctorTest(unittest.TestCase):
    """Each case is a `stoker run` of its own with one thing wrong."""

    def start(self, **options):
        pipeline = Pipeline(**options)
        self.addCleanup(pipeline.__exit__, None, None, None)
        pipeline.start()
        return pipeline

    def doctor(self, pipeline):
        """(exit status, {id: level}) of the command."""
        result = subprocess.run(
            [STOKER, "doctor", "--json", f"--address=127.0.0.1:{pipeline.http_port}",
             f"--data-dir={pipeline.folder}", pipeline.config],
            capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, problems(json.loads(result.stdout)["checks"])

    def test_nobody_at_the_endpoint(self):
        pipeline = self.start()
        status, found = wait_for(
            "the endpoint named",
            lambda: next((d for d in [self.doctor(pipeline)] if "endpoint.unreachable" in d[1]), None), 60)
        self.assertEqual((status, found["endpoint.unreachable"]), (1, "error"))
        # Nothing else is an error: one cause, one name.
        self.assertEqual([i for i, level in found.items() if level == "error"], ["endpoint.unreachable"])

        def told():
            code, answer = pipeline.ask_gateway("GET", "/api/doctor")
            return code == 200 and "endpoint.unreachable" in problems(json.loads(answer)["checks"])
        wait_for("/api/doctor", told, 90)
        path = os.path.join(pipeline.run_dir, "doctor.json")
        with open(path, encoding="utf-8") as file:
            self.assertIn("endpoint.unreachable", problems(json.load(file)["checks"]))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)

    def test_rules_drop_everything(self):
        pipeline = self.start(extra=DROP_ALL)
        pipeline.start_store()
        wait_for("the rules named", lambda: "relabel" in self.doctor(pipeline)[1], 60)

    def test_all_is_well(self):
        pipeline = Pipeline()
        self.addCleanup(pipeline.__exit__, None, None, None)
        pipeline.start_store()
        pipeline.start()

        def well():
            status, found = self.doctor(pipeline)
            return status == 0 and "error" not in found.values()
        wait_for("no error", well, 60)
        # A bad configuration is a finding.
        with open(pipeline.config, "a", encoding="utf-8") as file:
            file.write("pyroscope.ebpf {")
        self.assertEqual(self.doctor(pipeline)[1]["configuration"], "error")


if __name__ == "__main__":
    xml_report.main()
