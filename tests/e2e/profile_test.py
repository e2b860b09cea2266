#!/usr/bin/python3
"""A program with known shares goes through every real process and comes out of the store with them."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, PROCESSES, Pipeline, share, wait_for  # noqa: E402
import xml_report  # noqa: E402

# Capability bits of linux/capability.h.
CAPABILITIES = {"dac_read_search": 2, "sys_ptrace": 19, "syslog": 34, "perfmon": 38, "bpf": 39,
                "checkpoint_restore": 40}
ALLOWED = {
    "ebpf-collector": set(CAPABILITIES),
    "discovery": {"sys_ptrace", "dac_read_search"},
}
CPU_SECONDS = 30


def run_fixture(name):
    """Runs a fixture to its end; the CPU time it says it used, in nanoseconds."""
    output = subprocess.run([os.path.join(FIXTURES, name), str(CPU_SECONDS)], check=True,
                            capture_output=True, timeout=300).stdout
    return int(output)


def status_field(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line.split(":", 1)[1].split() for line in file if line.startswith(field + ":"))


def listening_inodes():
    """Socket inodes of every TCP listener."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="utf-8") as file:
            for line in file.readlines()[1:]:
                columns = line.split()
                if columns[3] == "0A":
                    inodes.add(columns[9])
    return inodes


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class ProfileTest(unittest.TestCase):
    """One pipeline for all cases; the cases run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.pipeline = Pipeline(interval="5s", sample_rate=499)
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.pipeline.start_store()
        cls.pipeline.start()

    def check_shares(self, service, names, used):
        main, work, hot, cold = names
        stacks = wait_for(f"samples of {service}", lambda: self.enough(service, used), 60)
        self.assertAlmostEqual(share(stacks, main, work, hot), 0.70, delta=0.03)
        self.assertAlmostEqual(share(stacks, main, work, cold), 0.30, delta=0.03)
        self.assertAlmostEqual(sum(stacks.values()) / used, 1.0, delta=0.01)

    def enough(self, service, used):
        # The last interval comes up to collect_interval after the program's end.
        stacks = self.pipeline.store.render(service)
        return stacks if sum(stacks.values()) >= 0.99 * used else None

    def test_1_c_program(self):
        """main → work → hot with its share, and samples × period are the CPU time it used."""
        self.check_shares("hot", ("main", "work", "hot", "cold"), run_fixture("hot"))

    def test_1_without_frame_pointers(self):
        """The same of a program that keeps no frame pointers."""
        self.check_shares("hot-bare", ("main", "work", "hot", "cold"), run_fixture("hot-bare"))

    def test_2_go_program(self):
        """The same of a Go program."""
        self.check_shares("hot-go", ("main.main", "main.work", "main.hot", "main.cold"),
                          run_fixture("hot-go"))

    def test_3_privilege(self):
        """Each process has a uid of its own and only its capabilities; none that has one listens."""
        uids = set()
        listeners = listening_inodes()
        for name in PROCESSES[1:]:
            pid = self.pipeline.pid(name)
            uids.add(status_field(pid, "Uid")[0])
            allowed = sum(1 << CAPABILITIES[c] for c in ALLOWED.get(name, ()))
            for field in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
                self.assertEqual(int(status_field(pid, field)[0], 16) & ~allowed, 0, (name, field))
            self.assertEqual(status_field(pid, "NoNewPrivs")[0], "1", name)
            if int(status_field(pid, "CapPrm")[0], 16):
                links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                held = {link[8:-1] for link in links if link.startswith("socket:[")}
                self.assertEqual(held & listeners, set(), name)
        self.assertEqual(len(uids), len(PROCESSES) - 1)
        self.assertNotIn("0", uids)

    def test_4_conservation(self):
        """At every process what came in is what went out, was dropped or is held."""
        for name in PROCESSES[1:-1]:
            metric = name.replace("-", "_")
            self.assertEqual(self.pipeline.metric(name, f"stoker_{metric}_conservation_error"), 0, name)
            self.assertGreater(self.pipeline.metric(name, f"stoker_{metric}_in "), 0, name)

    def test_5_last_interval(self):
        """Ctrl-C: what was sampled in the interval under way reaches the store before the end."""
        program = subprocess.Popen([os.path.join(FIXTURES, "hot"), "2"], stdout=subprocess.PIPE,
                                   executable=os.path.join(FIXTURES, "hot"))
        before = self.pipeline.store.total("hot")
        used = int(program.communicate(timeout=60)[0])
        self.assertEqual(self.pipeline.stop(), 0)
        self.assertAlmostEqual((self.pipeline.store.total("hot") - before) / used, 1.0, delta=0.05)


if __name__ == "__main__":
    xml_report.main()
