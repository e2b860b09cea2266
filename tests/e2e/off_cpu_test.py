#!/usr/bin/python3
"""Waits of a program in known places go through every real process and come out of the store as long as it
measured them."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import CONFIG, FIXTURES, PROCESSES, Pipeline, wait_for  # noqa: E402
import xml_report  # noqa: E402

OFF_CPU = "offcpu:offcpu:nanoseconds::"
SECONDS = 40
OFF_CPU_CONFIG = CONFIG.replace("sample_rate      = {rate}",
                                "sample_rate      = {rate}\n\toff_cpu_threshold = 1").replace(
    """		target_label  = "service_name"
	}}
""", """		target_label  = "service_name"
	}}

	rule {{
		source_labels = ["service_name"]
		regex         = "waits"
		action        = "keep"
	}}
""")


def run_waits():
    """Runs the fixture; {place: nanoseconds} as its main thread measured them."""
    output = subprocess.run([os.path.join(FIXTURES, "waits"), str(SECONDS)], check=True, text=True,
                            capture_output=True, timeout=300).stdout
    return {place: int(ns) for place, ns in (line.split() for line in output.splitlines())}


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class OffCpuTest(unittest.TestCase):
    """One pipeline for all cases; the cases run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.pipeline = Pipeline(interval="5s", config=OFF_CPU_CONFIG)
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.pipeline.start_store()
        cls.pipeline.start()

    def stacks(self):
        """What the main thread waited, by the function that main called."""
        places = {}
        for stack, ns in self.pipeline.store.render("waits", profile_type=OFF_CPU).items():
            if "main" in stack and stack.index("main") + 1 < len(stack):
                place = stack[stack.index("main") + 1]
                places[place] = places.get(place, 0) + ns
        return places

    def test_1_places(self):
        """Each place has the time that the program was not on a CPU there."""
        measured = run_waits()
        total = sum(measured.values())
        places = wait_for("waits", lambda: self.enough(measured), 60)
        print({place: (ns, places.get(place)) for place, ns in measured.items()})
        found = sum(places.get(place, 0) for place in measured)
        self.assertAlmostEqual(found / total, 1.0, delta=0.03)
        for place, ns in measured.items():
            self.assertAlmostEqual(places.get(place, 0) / total, ns / total, delta=0.03, msg=place)

    def enough(self, measured):
        places = self.stacks()
        return places if sum(places.values()) >= 0.97 * sum(measured.values()) else None

    def test_2_type(self):
        """The type is the peer's, beside that of CPU time."""
        types = self.pipeline.store.profile_types()
        self.assertIn(OFF_CPU, types)
        self.assertIn("process_cpu:cpu:nanoseconds:cpu:nanoseconds", types)

    def test_3_conservation(self):
        """At every process what came in is what went out, was dropped or is held."""
        for name in PROCESSES[1:-1]:
            metric = name.replace("-", "_")
            self.assertEqual(self.pipeline.metric(name, f"stoker_{metric}_conservation_error"), 0, name)
        counted = 'stoker_ebpf_sampler_events_total{event="waits of threads that ended"}'
        self.assertGreater(self.pipeline.metric("ebpf-collector", counted.replace("{", r"\{")), 0)
        share = self.pipeline.state("ebpf-collector")["ebpf"]["off_cpu"][0]
        self.assertEqual(share["threshold"], 1)
        self.assertGreater(share["sampled_share"], 0)

    def test_4_stop(self):
        """What was counted last is sent before the end."""
        self.assertEqual(self.pipeline.stop(), 0)


if __name__ == "__main__":
    xml_report.main()
