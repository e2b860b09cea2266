#!/usr/bin/python3
"""What is missing is named, and what is hostile costs nobody else anything."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, SERVICES, Pipeline, wait_for  # noqa: E402
import xml_report  # noqa: E402

NOBODY = 65534
NANOSECONDS = 1_000_000_000


def run_as_nobody(binary, arguments):
    """Runs a copy that nobody can reach; (exit status, what it said)."""
    with tempfile.TemporaryDirectory(prefix="stoker-nobody-", dir="/tmp") as folder:
        shutil.copy(binary, folder)
        os.chmod(folder, 0o777)
        done = subprocess.run([os.path.join(folder, os.path.basename(binary)),
                               f"--run-dir={folder}/run", f"--data-dir={folder}/data", *arguments],
                              user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
                              timeout=60, check=False)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class BadInputTest(unittest.TestCase):
    def test_collector_without_privilege(self):
        """Without capabilities the collector ends and says which it lacks."""
        with Pipeline() as pipeline:
            os.chmod(pipeline.config, 0o644)
            status, said = run_as_nobody(
                os.path.join(SERVICES, "collector/ebpf/stoker-ebpf-collector"),
                [f"--config={pipeline.config}"])
        self.assertEqual(status, 1)
        self.assertRegex(said, "(?i)cap_bpf")
        self.assertRegex(said, "(?i)cap_perfmon")

    def test_port_in_use(self):
        """A port in use is named, with the flag that changes it."""
        with Pipeline() as pipeline, contextlib.closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = subprocess.run(
                [os.path.join(SERVICES, "store/stoker-store"), f"--run-dir={pipeline.run_dir}",
                 f"--data-dir={pipeline.folder}/data", f"--http.listen=127.0.0.1:{port}"],
                capture_output=True, timeout=60, check=False)
            said = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(port), said)
        self.assertIn("--http.listen", said)

    def test_hostile_files(self):
        """Programs whose file is cut, replaced by a FIFO, gone, or no ELF any more, and processes that
        end at once: a decent neighbour keeps every sample."""
        with Pipeline() as pipeline:
            pipeline.start_store()
            pipeline.start()
            hostile = self.start_hostile(pipeline.folder)
            for program in hostile:
                self.addCleanup(program.wait)
                self.addCleanup(program.kill)
            for _ in range(200):
                subprocess.run(["/bin/true"], check=True)
            used = int(subprocess.run([os.path.join(FIXTURES, "hot"), "5"], check=True,
                                      capture_output=True, timeout=120).stdout)
            wait_for("the neighbour's samples",
                     lambda: pipeline.store.total("hot") > 0.95 * used, 20)
            for name in ("forwarder", "symbolizer", "ebpf-collector", "discovery"):
                self.assertEqual(self.restarts(pipeline, name), 0, name)

    def start_hostile(self, folder):
        """Running copies of a fixture under names of their own, their files spoilt."""
        def start(name):
            path = os.path.join(folder, name)
            shutil.copy(os.path.join(FIXTURES, "hot"), path)
            os.chmod(path, 0o755)
            return path, subprocess.Popen([path, "600"], stdout=subprocess.DEVNULL)
        programs = []
        for name in ("gone", "fifo", "garbage"):
            path, program = start(name)
            os.unlink(path)
            if name == "fifo":
                os.mkfifo(path)
            if name == "garbage":
                with open(path, "wb") as file:
                    file.write(os.urandom(100_000))
            programs.append(program)
        # A file that is mapped cannot be written, but one that is only read by a loader can: its
        # sections lie outside of it.
        truncated = os.path.join(folder, "truncated")
        with open(os.path.join(FIXTURES, "hot"), "rb") as source:
            content = source.read()
        with open(truncated, "wb") as file:
            file.write(content[:len(content) * 2 // 3])
        os.chmod(truncated, 0o755)
        programs.append(subprocess.Popen([truncated, "600"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL))
        return programs

    def restarts(self, pipeline, name):
        status, body = pipeline.gateway("/debug/state")
        self.assertEqual(status, 200)
        return next(p["restarts"] for p in body["processes"] if p["name"] == name)


if __name__ == "__main__":
    xml_report.main()
