#!/usr/bin/python3
"""Stripped programs get their names from a debug file in each place of the documented list."""
import contextlib
import http.server
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from contained import build_id, compile_c, run_in_root, strip_as_documented  # noqa: E402
from pipeline import Pipeline, free_port, own_network, wait_for  # noqa: E402
import xml_report  # noqa: E402

CPU_SECONDS = "1"
# Functions that are all inlined into one, and one that is not; each instruction of the loop has its
# own line. PLACE makes the bytes of each program its own.
SPIN = r"""
#include <stdlib.h>
#include <time.h>
volatile unsigned long sink;
const char place[] = PLACE;
static inline __attribute__((always_inline)) void innermost(unsigned long i) {
  sink = sink * 31 + i;
  sink ^= sink >> 7;
}
static inline __attribute__((always_inline)) void inner(unsigned long turns) {
  for (unsigned long i = 0; i < turns; ++i)
    innermost(i);
}
__attribute__((noinline)) void outer(unsigned long turns) {
  inner(turns);
  __asm__ volatile("");
}
int main(int argc, char** argv) {
  sink = place[0];
  while (clock() < atol(argv[1]) * CLOCKS_PER_SEC) outer(200000);
  return argc - 2;
}
"""
CALL = "  while (clock() < atol(argv[1]) * CLOCKS_PER_SEC) outer(200000);"
CHAIN = ("main", "outer", "inner", "innermost")
# qsort() spends its time in functions of libc that only its debug file names.
SORT = r"""
#include <stdlib.h>
#include <time.h>
static unsigned numbers[1 << 20];
static int compare(const void* a, const void* b) {
  return *(const unsigned*)a < *(const unsigned*)b ? -1 : *(const unsigned*)a > *(const unsigned*)b;
}
int main(int argc, char** argv) {
  while (clock() < atol(argv[1]) * CLOCKS_PER_SEC) {
    for (int i = 0; i < 1 << 20; ++i) numbers[i] = numbers[i] * 1664525 + 1013904223 + i;
    qsort(numbers, 1 << 20, sizeof *numbers, compare);
  }
  return argc - 2;
}
"""
LIBC_DEBUG = "/usr/lib/debug/.build-id"


def install(root, path, file):
    """Puts `file` at `path` of a root folder."""
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    shutil.copy(file, root + path)


def with_other_bytes(file):
    """A copy of a file whose CRC is another."""
    shutil.copy(file, file + ".other")
    with open(file + ".other", "ab") as other:
        other.write(b"\n")
    return file + ".other"


class Contained:
    """A program, stripped by the documented commands, alone in a root folder; with its build id,
    without one, or with the one given in hex digits."""

    def __init__(self, folder, name, with_build_id):
        self.name, self.root = name, os.path.join(folder, "root-" + name)
        build = os.path.join(folder, "build-" + name)
        os.makedirs(build)
        kind = {True: "sha1", False: "none"}.get(with_build_id, f"0x{with_build_id}")
        flags = ["-Wl,--build-id=" + kind]
        self.elf = os.path.join(build, name)
        compile_c(self.elf, SPIN, "-O2", "-g", "-static", f'-DPLACE="{name}"', *flags)
        self.stripped, self.debug = strip_as_documented(self.elf)
        self.path = f"/opt/app/{name}"
        install(self.root, self.path, self.stripped)

    def put(self, place, file=None):
        """Installs the debug file, or another, at a path of the root folder."""
        install(self.root, place.format(name=self.name), file or self.debug)

    def run(self):
        with run_in_root(self.root, self.path, CPU_SECONDS) as program:
            return program.wait(60)

    def run_chrooted(self):
        """As run(), in the mount namespace of everybody."""
        return subprocess.run(["/usr/sbin/chroot", self.root, self.path, CPU_SECONDS], timeout=60,
                              check=False).returncode


def chains_of(elf, *functions):
    """The chains ((function, line), ...), innermost first, that the functions' addresses have."""
    symbols = subprocess.run(["nm", "-S", elf], check=True, capture_output=True, text=True).stdout
    addresses = []
    for symbol in map(str.split, symbols.splitlines()):
        if symbol[-1] in functions:
            start, size = int(symbol[0], 16), int(symbol[1], 16)
            addresses += [hex(address) for address in range(start, start + size)]
    output = subprocess.run(["eu-addr2line", "-e", elf, "-a", "-f", "-i", "-s"], check=True,
                            input="\n".join(addresses), capture_output=True, text=True).stdout
    chains = set()
    for answer in output.split("0x")[1:]:
        pairs = answer.splitlines()[1:]
        chains.add(tuple((function.split(" inlined at ")[0], int(place.split(":")[1].split()[0]))
                         for function, place in zip(pairs[0::2], pairs[1::2])))
    return chains


def locations(pipeline, service):
    """[(mapping's file, ((function, line), ...))] of all that a service did, innermost first, as stored."""
    now = int(time.time() * 1000)
    status, body = pipeline.store.request(
        "POST", "/querier.v1.QuerierService/SelectMergeProfile",
        json.dumps({"profile_typeID": "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
                    "label_selector": '{service_name="%s"}' % service,
                    "start": now - 3_600_000, "end": now + 60_000}), {"Content-Type": "application/json"})
    if status != 200:
        raise AssertionError(f"merge of {service}: {status} {body[:300]}")
    profile = json.loads(body)
    strings = profile.get("stringTable", [""])
    functions = {f["id"]: strings[int(f.get("name", 0))] for f in profile.get("function", [])}
    files = {m["id"]: strings[int(m.get("filename", 0))] for m in profile.get("mapping", [])}
    return [(files.get(location.get("mappingId"), ""),
             tuple((functions[line["functionId"]], int(line.get("line", 0)))
                   for line in location.get("line", [])))
            for location in profile.get("location", [])]


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class SymbolsTest(unittest.TestCase):
    """One pipeline for all cases."""

    @classmethod
    def setUpClass(cls):
        cls.pipeline = Pipeline(interval="2s", sample_rate=499)
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.pipeline.start_store()
        cls.pipeline.start()

    def contained(self, name, with_build_id=True):
        return Contained(self.pipeline.folder, name, with_build_id)

    def stacks(self, service):
        """What a service did, once all of its second has come."""
        def enough():
            stacks = self.pipeline.store.render(service)
            return stacks if sum(stacks.values()) > 0.9e9 * int(CPU_SECONDS) else None
        return wait_for(f"samples of {service}", enough, 90)

    def check_named(self, program, run=Contained.run):
        """Runs it until its inlined functions are named: the first profiles may come before its
        debug file, for which nobody waits when there are symbols."""
        def named():
            self.assertEqual(run(program), 0)
            stacks = self.pipeline.store.render(program.name)
            chains = [stack for stack in stacks if stack[-4:] == CHAIN]
            return chains
        wait_for(f"{CHAIN} of {program.name}", named, 120)

    def check_unnamed(self, program):
        self.assertEqual(program.run(), 0)
        stacks = self.stacks(program.name)
        self.assertEqual([stack for stack in stacks if set(stack) & set(CHAIN)], [])

    # The places, in the documented order.

    def test_build_id(self):
        program = self.contained("by-build-id")
        build = build_id(program.elf)
        program.put(f"/usr/lib/debug/.build-id/{build[:2]}/{build[2:]}.debug")
        self.check_named(program)

    def test_whole_build_id(self):
        """As the documentation spells it: the whole id within the folder of its first two digits."""
        program = self.contained("by-whole-build-id")
        build = build_id(program.elf)
        program.put(f"/usr/lib/debug/.build-id/{build[:2]}/{build}.debug")
        self.check_named(program)

    def test_debug_link_beside(self):
        program = self.contained("beside", with_build_id=False)
        program.put("/opt/app/{name}.debug")
        self.check_named(program)

    def test_debug_link_in_folder(self):
        program = self.contained("in-debug-folder", with_build_id=False)
        program.put("/opt/app/.debug/{name}.debug")
        self.check_named(program)

    def test_debug_link_in_global_folder(self):
        program = self.contained("in-global-folder", with_build_id=False)
        program.put("/usr/lib/debug/opt/app/{name}.debug")
        self.check_named(program)

    def test_chrooted(self):
        """The same places of a process that has another root and is in no container."""
        program = self.contained("chrooted", with_build_id=False)
        program.put("/usr/lib/debug/opt/app/{name}.debug")
        self.check_named(program, Contained.run_chrooted)

    # What is not the program's own.

    def test_wrong_crc(self):
        """A file of the right name and other bytes names nothing; the right one in a later place does."""
        program = self.contained("wrong-crc", with_build_id=False)
        program.put("/opt/app/{name}.debug", with_other_bytes(program.debug))
        self.check_unnamed(program)
        program = self.contained("wrong-then-right", with_build_id=False)
        program.put("/opt/app/{name}.debug", with_other_bytes(program.debug))
        program.put("/usr/lib/debug/opt/app/{name}.debug")
        self.check_named(program)

    def test_wrong_build_id(self):
        """A debug file of another program at the place of this one's build id names nothing."""
        other, program = self.contained("other"), self.contained("wrong-build-id")
        build = build_id(program.elf)
        program.put(f"/usr/lib/debug/.build-id/{build[:2]}/{build[2:]}.debug", other.debug)
        self.check_unnamed(program)

    def test_outside_of_the_root(self):
        """Links of a container lead nowhere else, and no file of the host is its."""
        program = self.contained("outside", with_build_id=False)
        os.symlink(program.debug, program.root + "/opt/app/outside.debug")
        self.check_unnamed(program)

    def test_claimed_build_id(self):
        """A container that claims libc's build id, with bytes and debug file of its own, renames
        nobody's frames, and has its own names."""
        libc = build_id("/lib/x86_64-linux-gnu/libc.so.6")
        program = self.contained("claims", libc)
        program.put(f"/usr/lib/debug/.build-id/{libc[:2]}/{libc[2:]}.debug")
        sorter = os.path.join(self.pipeline.folder, "honest")
        compile_c(sorter, SORT, "-O2", "-g")
        for _ in range(3):
            self.check_named(program)
            subprocess.run([sorter, CPU_SECONDS], check=True, timeout=60)
        wait_for("samples of honest", lambda: self.pipeline.store.total("honest") > 2.5e9, 60)
        stacks = self.pipeline.store.render("honest")
        names = {name for stack in stacks for name in stack}
        self.assertEqual(names & {"outer", "inner", "innermost"}, set())
        self.assertIn("compare", names)
        self.assertEqual(build_id(program.elf), libc)

    # What names there are.

    def test_inlined_functions_and_lines(self):
        """What is stored of the program's functions are chains that eu-addr2line gives them."""
        program = self.contained("inlined")
        program.put("/opt/app/{name}.debug")
        self.check_named(program)
        found = {chain for _, chain in locations(self.pipeline, program.name)
                 if chain[-1:] and chain[-1][0] in ("outer", "main") and chain[-1][1] > 0}
        self.assertLessEqual(found, chains_of(program.elf, "outer", "main"))
        # The loop's two lines, each inlined twice, and the call of it.
        self.assertGreaterEqual(len([chain for chain in found if len(chain) == 3]), 2, found)
        self.assertIn((("main", SPIN.split("\n").index(CALL) + 1),), found)

    def test_kernel(self):
        """The kernel's functions have names, below those of the program that called it."""
        def stacks():
            subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=5000"], check=True,
                           timeout=60, stderr=subprocess.DEVNULL)
            return [stack for stack in self.pipeline.store.render("dd") if "vfs_read" in stack]
        # None where the kernel hides its addresses; then the collector says so.
        state = self.pipeline.state("ebpf-collector")["ebpf"]
        if "kernel" not in state:
            self.assertIn("kptr_restrict", state["kernel_without_names"])
            self.skipTest(state["kernel_without_names"])
        self.assertIn("[kernel]", {region["path"] for region in state["kernel"]})
        wait_for("the kernel's part of a read", stacks, 60)

    @unittest.skipUnless(os.path.isdir(LIBC_DEBUG), "libc6-dbg is not installed")
    def test_libc(self):
        """libc6-dbg names what libc.so.6 itself has no name for, with files' lines."""
        elf = os.path.join(self.pipeline.folder, "sorter")
        compile_c(elf, SORT, "-O2", "-g")

        def lines():
            subprocess.run([elf, CPU_SECONDS], check=True, timeout=60)
            return [line for file, chain in locations(self.pipeline, "sorter")
                    for line in chain if file.endswith("/libc.so.6") and "msort_with_tmp" in line[0]]
        # Names of .dynsym come first; those of the debug file replace them.
        found = wait_for("names within qsort", lines, 120)
        self.assertTrue(all(line > 0 for _, line in found), found)


class HostileServer(http.server.BaseHTTPRequestHandler):
    """A debuginfod that does to each build id what `tricks` says, and knows no other."""
    tricks = {}
    asked = []
    end = threading.Event()

    def do_GET(self):
        build = self.path.split("/")[2]
        self.asked.append(build)
        trick, argument = self.tricks.get(build, ("404", None))
        if trick == "hang":
            self.end.wait(600)
        elif trick == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif trick == "drip":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.end.wait(1):
                    self.wfile.write(b"x")
        elif trick == "huge":
            self.send_response(200)
            self.send_header("Content-Length", str(10 << 30))
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.end.is_set():
                    self.wfile.write(bytes(1 << 20))
        elif trick == "lie":
            with open(argument, "rb") as file:
                body = file.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
@unittest.skipUnless(shutil.which("debuginfod"), "debuginfod is not installed")
class ServersTest(unittest.TestCase):
    """Debug files that are on no node: a folder of the symbolizer, a hostile server, a real one."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stoker-e2e-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)
        cls.served, cls.debug_dir = cls.folder + "/served", cls.folder + "/debug"
        os.mkdir(cls.served)
        os.mkdir(cls.debug_dir)
        hostile = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HostileServer)
        hostile.daemon_threads = True
        threading.Thread(target=hostile.serve_forever, daemon=True).start()
        cls.addClassCleanup(hostile.shutdown)
        cls.addClassCleanup(HostileServer.end.set)
        cls.real = f"http://127.0.0.1:{free_port()}"
        cls.pipeline = Pipeline(interval="2s", sample_rate=499, extra="""
stoker {
	symbolizer {
		debuginfod_urls = ["http://127.0.0.1:%d", "%s"]
		debug_dirs      = ["%s"]
	}
}
""" % (hostile.server_address[1], cls.real, cls.debug_dir))
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)

    def start_debuginfod(self):
        """The real server; it looks through the folder once, when it starts."""
        database = self.folder + "/debuginfod.sqlite"
        process = subprocess.Popen(
            ["debuginfod", "-F", self.served, "-p", self.real.rsplit(":", 1)[1], "-d", database],
            stdout=self.pipeline.log, stderr=self.pipeline.log)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)

    def wanted(self, path):
        """What the symbolizer says of a binary that it has no debug information of."""
        wanted = self.pipeline.state("symbolizer")["symbolizer"]["wanted"]
        return next((w["state"] for w in wanted if w["path"] == path), "")

    def named(self, program):
        return any(stack[-4:] == CHAIN for stack in self.pipeline.store.render(program.name))

    def await_named(self, program):
        def named():
            self.assertEqual(program.run(), 0)
            return self.named(program)
        wait_for(f"{CHAIN} of {program.name}", named, 120)

    def has(self, build):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{self.real}/buildid/{build}/debuginfo", timeout=5) as answer:
                return answer.status == 200
        return False

    def test(self):
        tricks = {name: Contained(self.folder, name, True) for name in ("huge", "lie", "reset", "hang", "drip")}
        here, there = Contained(self.folder, "in-debug-dir", True), Contained(self.folder, "served", True)
        shutil.copy(there.debug, self.served)
        self.start_debuginfod()
        build = build_id(here.elf)
        install(self.debug_dir, f"/.build-id/{build[:2]}/{build[2:]}.debug", here.debug)
        wait_for("the real server's first look", lambda: self.has(build_id(there.elf)), 60)
        for name, program in tricks.items():
            HostileServer.tricks[build_id(program.elf)] = (name, there.debug)
        self.pipeline.start_store()
        self.pipeline.start()

        for name, program in tricks.items():
            self.assertEqual(program.run(), 0)
        # Nobody else waits for an answer that takes its two minutes.
        wait_for("the slow fetch", lambda: self.wanted(tricks["drip"].path).startswith("fetching"), 60)
        self.await_named(there)
        self.await_named(here)
        self.assertTrue(self.wanted(tricks["drip"].path).startswith("fetching"))
        self.assertNotIn(build_id(here.elf), HostileServer.asked)

        reasons = {"huge": "larger than 2147483648 bytes|Maximum file size exceeded", "lie": "another build id", "reset": "Unavailable|reset|Recv",
                   "hang": "too slow", "drip": "timed out|too slow"}
        for name, program in tricks.items():
            wait_for(f"the end of {name}",
                     lambda program=program: self.wanted(program.path).startswith("refused"), 180)
            self.assertRegex(self.wanted(program.path), reasons[name])
            # Under another program's debug file it would have other names.
            self.assertFalse(self.named(program), name)
        # Each build id was asked for once, whatever ran again.
        asked = [HostileServer.asked.count(build_id(program.elf)) for program in tricks.values()]
        self.assertEqual(asked, [1] * len(asked))


if __name__ == "__main__":
    if os.geteuid() == 0:
        own_network()
    xml_report.main()
