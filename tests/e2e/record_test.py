#!/usr/bin/python3
"""`stoker record` writes what a program with known shares did, in every format, and says what went wrong."""
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, SERVICES, STOKER  # noqa: E402
import xml_report  # noqa: E402

HOT = os.path.join(FIXTURES, "hot")
CPU_SECONDS = 5
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
RATE = 499


def record(*arguments, **options):
    """Runs `stoker record`; its standard error in the result."""
    return subprocess.run([STOKER, "record", f"--bin-dir={SERVICES}", f"--rate={RATE}", *arguments],
                          capture_output=True, text=True, timeout=120, check=False, **options)


def folded_stacks(path):
    """{stack from the root as a tuple: samples} of a folded file."""
    stacks = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            stack, count = line.rstrip("\n").rsplit(" ", 1)
            stacks[tuple(stack.split(";"))] = int(count)
    return stacks


def speedscope_stacks(path):
    """{stack from the root as a tuple: nanoseconds} of a speedscope file."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    frames, profile = content["shared"]["frames"], content["profiles"][0]
    stacks = {}
    for sample, weight in zip(profile["samples"], profile["weights"]):
        stack = tuple(frames[frame]["name"] for frame in sample)
        stacks[stack] = stacks.get(stack, 0) + weight
    return stacks


def share(stacks, *frames):
    """The part of all values whose stack holds `frames` one after another."""
    def holds(stack):
        return any(stack[i:i + len(frames)] == frames for i in range(len(stack)))
    return sum(v for s, v in stacks.items() if holds(s)) / sum(stacks.values())


@unittest.skipIf(os.geteuid() != 0, "sampling stacks needs root")
class RecordTest(unittest.TestCase):
    """Each case is a recording of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="stoker-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.before = {f for f in os.listdir("/tmp") if f.startswith("stoker-record-")}

    def tearDown(self):
        # Nothing stays behind.
        left = {f for f in os.listdir("/tmp") if f.startswith("stoker-record-")} - self.before
        self.assertEqual(left, set())

    def path(self, name):
        return os.path.join(self.folder, name)

    def record_hot(self, name):
        """Records the fixture to its end; the CPU time it says it used, in nanoseconds."""
        result = record("-o", self.path(name), "--", HOT, str(CPU_SECONDS))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("ended, exit status 0", result.stderr)
        self.assertIn("none lost", result.stderr)
        return int(result.stdout)

    def check_shares(self, stacks, used, unit):
        self.assertAlmostEqual(share(stacks, "main", "work", "hot"), 0.70, delta=0.05)
        self.assertAlmostEqual(share(stacks, "main", "work", "cold"), 0.30, delta=0.05)
        self.assertAlmostEqual(sum(stacks.values()) * unit / used, 1.0, delta=0.03)
        self.assertEqual({stack[0] for stack in stacks}, {"hot (process)"})

    def test_folded(self):
        used = self.record_hot("hot.folded")
        self.check_shares(folded_stacks(self.path("hot.folded")), used, 1e9 / RATE)

    def test_speedscope(self):
        used = self.record_hot("hot.speedscope.json")
        self.check_shares(speedscope_stacks(self.path("hot.speedscope.json")), used, 1)

    def test_pprof(self):
        self.record_hot("hot.pb.gz")
        with gzip.open(self.path("hot.pb.gz")) as file:
            content = file.read()
        for word in (b"hot", b"cold", b"work", b"nanoseconds", b"process"):
            self.assertIn(word, content)

    @unittest.skipUnless(shutil.which(CHROMIUM), "no Chromium")
    def test_html(self):
        """The page opens from the disk, in a network of its own that has nothing, and shows the shares."""
        self.record_hot("hot.html")
        with subprocess.Popen(
                ["unshare", "--net", CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
                 f"--user-data-dir={self.path('chromium')}", "--virtual-time-budget=10000", "--dump-dom",
                 "file://" + self.path("hot.html")],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as browser:
            dom = browser.communicate(timeout=120)[0]
        self.assertEqual(re.search("<title>(.*?)</title>", dom)[1], f"{HOT} {CPU_SECONDS}")
        self.assertIn('data-ready="true"', dom)
        # The rows of the table, without their marks: the function and perhaps its module, its self time
        # and its part of all. The first is the one with the most.
        text = re.sub(r"\s+", " ", re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", dom, flags=re.S))
        for name, part in (("hot", 70), ("cold", 30)):
            shown = re.search(rf" {name} (?:\S+ )?⇅ [0-9.]+ m?s ([0-9.]+) %", text)
            self.assertIsNotNone(shown, text[:5000])
            self.assertAlmostEqual(float(shown[1]), part, delta=5)
        for name in (r"hot \(process\)", "work", "main"):
            self.assertRegex(text, rf" {name} (?:\S+ )?⇅ ")

    def test_children_of_a_command(self):
        """Programs that a shell starts one after another are in it under their names."""
        script = "for i in 1 2 3 4 5; do %s 0; awk 'BEGIN{for(i=0;i<2000000;i++)x+=i}'; done; exit 3" % HOT
        result = record("-o", self.path("sh.folded"), "--", "sh", "-c", script)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("sh ended, exit status 3", result.stderr)
        roots = {stack[0] for stack in folded_stacks(self.path("sh.folded"))}
        self.assertTrue(any("awk" in root for root in roots), roots)

    def test_command_inherits_no_socket(self):
        """What `stoker record` opens for itself stays its own."""
        result = record("-o", self.path("fd.folded"), "--", "sh", "-c", f"ls -l /proc/self/fd; {HOT} 1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("/proc/", result.stdout)
        self.assertNotIn("socket:", result.stdout)

    def test_pid_until_its_end(self):
        """A process that ends before the time is over: what it did is written at once."""
        with subprocess.Popen([HOT, "4"], stdout=subprocess.DEVNULL) as program:
            result = record("-p", str(program.pid), "-d", "100s", "-o", self.path("pid.folded"))
            # A zombie until here: gone all the same.
            self.assertEqual(program.wait(), 0)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("has ended", result.stderr)
        self.assertGreater(share(folded_stacks(self.path("pid.folded")), "main", "work"), 0.9)

    def test_whole_host(self):
        with subprocess.Popen([HOT, "100"], stdout=subprocess.DEVNULL) as program:
            result = record("--all", "-d", "3", "-o", self.path("all.folded"))
            program.kill()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("hot (process)", {stack[0] for stack in folded_stacks(self.path("all.folded"))})

    def test_interrupted(self):
        """SIGINT ends it early, the command with it; the file is written."""
        arguments = [STOKER, "record", f"--bin-dir={SERVICES}", "-o", self.path("int.folded"), "--",
                     "sh", "-c", f"echo running; exec {HOT} 1000"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            self.assertEqual(process.stdout.readline(), "running\n")
            pid = int(subprocess.run(["pgrep", "-x", "-n", "hot"], capture_output=True, text=True,
                                     check=False).stdout or 0)
            signal.sigtimedwait([signal.SIGUSR1], 2)  # Two seconds of samples.
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1]
            self.assertEqual(process.returncode, 0, errors)
        self.assertFalse(os.path.exists(f"/proc/{pid}") and pid)
        self.assertGreater(share(folded_stacks(self.path("int.folded")), "main", "work"), 0.9)

    def test_what_cannot_be(self):
        """Each failure says what it is, by its words and its exit status."""
        sleeper = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        for arguments, status, words in (
                (["--", "/no/such/program"], 1, "start /no/such/program: No such file"),
                (["-p", "4194303"], 1, "there is no process 4194303"),
                (["-p", str(sleeper.pid), "-d", "1"], 1, "nothing was sampled: process"),
                (["-o", "x.txt", "--", "true"], 2, "the ending says the format"),
                (["-o", "/no/such/folder/x.folded", "--", "true"], 1, "cannot write to /no/such"),
                ([], 2, "what to record is missing"),
                (["--all", "--pid", "1"], 2, "excludes")):
            result = record(*arguments, cwd=self.folder)
            self.assertEqual(result.returncode, status, (arguments, result.stderr))
            self.assertIn(words, result.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_without_privilege(self):
        """Without the capabilities: which are missing, and a status of its own."""
        result = subprocess.run(
            ["setpriv", "--bounding-set=-bpf,-perfmon", "--inh-caps=-all", STOKER, "record",
             f"--bin-dir={SERVICES}", "-o", self.path("x.folded"), "--", "true"],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 77, result.stderr)
        self.assertIn("CAP_BPF, CAP_PERFMON; run it as root", result.stderr)


if __name__ == "__main__":
    xml_report.main()
