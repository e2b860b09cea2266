#!/usr/bin/python3
"""Programs of every CPython of the machine have their functions, files and lines, with the shares that
they used, among the native frames; a Python in whatever state costs at most its own frames."""
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from contained import compile_c  # noqa: E402
from pipeline import Pipeline, own_network, wait_for  # noqa: E402
import xml_report  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CPU_SECONDS = 5.0
# Services are told apart by the folder in which they run: interpreters have one name.
CONFIG = """
discovery.process "all" {{
	refresh_interval = "1s"
}}

discovery.relabel "named" {{
	targets = discovery.process.all.targets

	rule {{
		source_labels = ["__meta_process_cwd"]
		regex         = ".*/stoker-python-[^/]+/([^/]+)"
		target_label  = "service_name"
	}}
}}

pyroscope.ebpf "host" {{
	targets          = discovery.relabel.named.output
	forward_to       = [pyroscope.write.store.receiver]
	collect_interval = "{interval}"
	sample_rate      = {rate}
	python_enabled   = true
}}

pyroscope.write "store" {{
	endpoint {{
		url = "http://127.0.0.1:{port}"
	}}
}}
"""
# A program with a Python in it.
EMBEDDING = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h>
#include <wchar.h>
int main(int argc, char** argv) {
  wchar_t* arguments[8];
  for (int i = 0; i < argc; ++i) arguments[i] = Py_DecodeLocale(argv[i], NULL);
  Py_Initialize();
  PySys_SetArgv(argc - 1, arguments + 1);
  FILE* file = fopen(argv[1], "r");
  return PyRun_SimpleFileEx(file, argv[1], 1);
}
"""

Frame = collections.namedtuple("Frame", "name file line mapping")


def find_interpreters():
    """{(major, minor, name): path}, 3.8 and later: Debian's, pyenv's, and those of the cache."""
    home = os.path.expanduser("~root")
    found = {}
    for pattern in (f"{home}/.pyenv/versions/3.*/bin/python3", f"{home}/.cache/stoker/python-*/bin/python3",
                    "/usr/bin/python3.[0-9]", "/usr/bin/python3.[0-9][0-9]"):
        for path in glob.glob(pattern):
            version = subprocess.run([path, "-ISc", "import sys; print(*sys.version_info[:2])"],
                                     check=False, capture_output=True, text=True).stdout.split()
            key = tuple(int(number) for number in version)
            if key >= (3, 8):
                where = "debian" if path.startswith("/usr/") else path.split("/")[-4].strip(".")
                found[key + (where,)] = path
    return dict(sorted(found.items()))


INTERPRETERS = find_interpreters()
# All but builds whose interpreter is not one function: 3.14 may be made of many that call one another
# at their ends, and without symbols nothing tells which.
UNWOUND = {key: path for key, path in INTERPRETERS.items() if key < (3, 14)}
# Every version that is promised.
VERSIONS = [(3, minor) for minor in range(8, 15)]


def lines_of(path):
    """The numbers of the lines that have a name."""
    with open(path, encoding="utf-8") as file:
        return {found.group(1): number for number, line in enumerate(file, 1)
                if (found := re.search(r"# line ([a-z-]+)$", line.rstrip()))}


def stacks_of(pipeline, service):
    """[(frames from the root, value)] of all that a service did, as stored."""
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
    functions = {f["id"]: (strings[int(f.get("name", 0))], strings[int(f.get("filename", 0))])
                 for f in profile.get("function", [])}
    mappings = {m["id"]: strings[int(m.get("filename", 0))] for m in profile.get("mapping", [])}
    frames = {}
    for location in profile.get("location", []):
        mapping = mappings.get(location.get("mappingId"), "")
        frames[location["id"]] = [
            Frame(*functions[line["functionId"]], int(line.get("line", 0)), mapping)
            for line in reversed(location.get("line", []))] or [Frame("", "", 0, mapping)]
    stacks = []
    for sample in profile.get("sample", []):
        stack = []
        for location in reversed(sample.get("locationId", [])):
            stack += frames[location]
        stacks.append((stack, int(sample["value"][0])))
    return stacks


def is_python(frame):
    return frame.mapping == "[python]"


def last_name(frame):
    """The function's own name; those of 3.11 and later come qualified."""
    return frame.name.rsplit(".", 1)[-1]


class Stacks:
    """What a service did."""

    def __init__(self, stacks):
        self.stacks = stacks
        self.total = sum(value for _, value in stacks)

    def within(self, *names):
        """Of this, what a function of the names did: not what led there, importing and starting."""
        return Stacks([(stack, value) for stack, value in self.stacks
                       if any(is_python(f) and last_name(f) in names for f in stack)])

    def share(self, *names, lines=None):
        """The part whose Python frames have `names` one after another, at `lines`."""
        def holds(stack):
            frames = [frame for frame in stack if is_python(frame)]
            for i in range(len(frames) - len(names) + 1):
                here = frames[i:i + len(names)]
                if all(last_name(f) == n for f, n in zip(here, names)) and (
                        lines is None or all(line in (None, f.line) for f, line in zip(here, lines))):
                    return True
            return False
        return sum(v for stack, v in self.stacks if holds(stack)) / self.total if self.total else 0.0

    def native_between(self, caller, callee):
        """The native frames between two frames of Python, by their most frequent form."""
        seen = collections.Counter()
        for stack, value in self.stacks:
            for i, frame in enumerate(stack):
                if not is_python(frame) or last_name(frame) != caller:
                    continue
                rest = stack[i + 1:]
                until = next((j for j, f in enumerate(rest) if is_python(f)), None)
                if until is not None and last_name(rest[until]) == callee:
                    seen[tuple(f.name for f in rest[:until])] += value
        return seen.most_common(1)[0][0] if seen else None

    def __str__(self):
        top = sorted(self.stacks, key=lambda item: -item[1])[:12]
        return "\n".join(
            f"{value / self.total:.3f} " + " > ".join(
                f"{f.name}:{f.line}" if is_python(f) else f.name or f.mapping for f in stack)
            for stack, value in top)


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
@unittest.skipIf(not UNWOUND, "there is no CPython")
class PythonTest(unittest.TestCase):
    """One pipeline and all programs at once; then each case looks at what came of its own."""

    @classmethod
    def setUpClass(cls):
        cls.pipeline = Pipeline(interval="2s", sample_rate=499, config=CONFIG)
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.pipeline.start_store()
        cls.pipeline.start()
        cls.folder = tempfile.mkdtemp(prefix="stoker-python-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)
        cls.program = os.path.join(cls.folder, "python_kinds.py")
        shutil.copy(os.path.join(HERE, "python_kinds.py"), cls.program)
        cls.lines = lines_of(cls.program)
        cls.runs = {}

    @classmethod
    def start(cls, service, command, kind, seconds, environment=None):
        """Runs a kind as `service`; it is there until the end of the tests."""
        folder = os.path.join(cls.folder, service)
        os.mkdir(folder)
        process = subprocess.Popen([*command, cls.program, kind, str(seconds)], cwd=folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, **(environment or {})})
        cls.addClassCleanup(process.stdout.close)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        cls.addClassCleanup(process.stdin.close)
        return process

    def stacks(self, service, seconds):
        """What a service did, once nearly all of it has come."""
        def enough():
            stacks = stacks_of(self.pipeline, service)
            return stacks if sum(value for _, value in stacks) >= 0.8e9 * seconds else None
        return Stacks(wait_for(f"samples of {service}", enough, 240))

    def newest(self, *versions):
        """The path of an interpreter of one of the versions, the first that there is."""
        for version in versions:
            for key, path in UNWOUND.items():
                if key[:2] == version:
                    return path
        self.skipTest(f"no CPython of {versions}")

    def check_kinds(self, service, seconds=CPU_SECONDS):
        whole = self.stacks(service, seconds)
        stacks = whole.within("kinds", "in_thread")
        line = self.lines
        with self.subTest(service):
            # What it did before discovery knew it is nobody's.
            self.assertGreater(stacks.total, 0.7e9 * seconds, str(whole))
            expected = [
                (0.28, ("kinds", "work", "hot"), (None, line["work-hot"], None)),
                (0.12, ("kinds", "work", "cold"), (None, line["work-cold"], None)),
                (0.10, ("in_thread", "hot"), (line["in-thread"], None)),
                (0.10, ("kinds", "generated", "outer", "inner", "hot"),
                 (None, line["generator-consumer"], line["generator-outer"], line["generator"], None)),
                (0.10, ("outer", "inner", "hot"), (line["coroutine-outer"], line["coroutine"], None)),
                (0.10, ("sorted_by", "by_key", "hot"), (line["sorted"], line["key"], None)),
                (0.10, ("called_back", "callback", "hot"), (line["calls-back"], line["callback"], None)),
                (0.05, ("kinds", "method", "hot"), (None, line["method"], None)),
                (0.05, ("kinds", "größe", "hot"), (None, line["non-ascii"], None)),
            ]
            for share, names, numbers in expected:
                self.assertAlmostEqual(stacks.share(*names, lines=numbers), share, delta=0.03,
                                       msg=f"{service} {names} {numbers}\n{stacks}")
            # The innermost line: of the loop nearly all, the rest asks for the time.
            of_hot = stacks.share("hot")
            self.assertGreater(stacks.share("hot", lines=(line["hot"],)), 0.6 * of_hot, str(stacks))
            in_loop = stacks.share("hot", lines=(line["hot"],)) + stacks.share("hot", lines=(line["hot-loop"],))
            self.assertGreater(in_loop, 0.95 * of_hot, str(stacks))
            files = {f.file for stack, _ in stacks.stacks for f in stack if f.name.endswith("hot")}
            self.assertEqual(files, {self.program})
            # What C called is between what called C and what it called; others call one another.
            for caller, callee in (("sorted_by", "by_key"), ("called_back", "callback")):
                self.assertTrue(stacks.native_between(caller, callee), f"{caller} {callee}\n{stacks}")
        return stacks

    def test_1_every_version(self):
        """Shares, functions, files and lines of all kinds of calls, on each CPython at once."""
        for key, path in INTERPRETERS.items():
            self.runs[key] = "python-%d.%d-%s" % key
            self.start(self.runs[key], [path, "-S"], "kinds", CPU_SECONDS)
        # Others are being started and end at once meanwhile.
        short = os.path.join(self.folder, "short")
        os.mkdir(short)
        for path in list(INTERPRETERS.values()) * 2:
            subprocess.run([path, "-ISc", "sum(range(1000))"], check=True, cwd=short)
        for key, service in self.runs.items():
            if key not in UNWOUND:
                self.stacks(service, CPU_SECONDS)
                continue
            stacks = self.check_kinds(service)
            if key >= (3, 11):
                names = {f.name for stack, _ in stacks.stacks for f in stack}
                self.assertLessEqual({"Outer.Inner.method", "awaited.<locals>.outer"}, names, service)

    def test_1_versions_that_are_not_here(self):
        """Says which versions nothing was proven of."""
        absent = [version for version in VERSIONS if version not in {key[:2] for key in UNWOUND}]
        if absent:
            self.skipTest("not on this machine, or not unwound: CPython " + ", ".join("%d.%d" % v for v in absent))

    def test_2_states(self):
        """A sub-interpreter, a child by fork, a Python that is stopped, one whose file is replaced, one
        within a program, and frames that were overwritten."""
        shared = {key: path for key, path in UNWOUND.items() if ".pyenv" in path}
        first = next(iter(UNWOUND.values()))
        last = list(UNWOUND.values())[-1]
        for name, path in (("first", first), ("last", last)):
            self.start(f"forked-{name}", [path, "-S"], "forked", 1)
            self.start(f"stopped-{name}", [path, "-S"], "stopped", 1)
            self.start(f"scribbled-{name}", [path, "-S"], "scribbled", 1)
            self.start(f"sub-{name}", [path, "-S"], "subinterpreter", 1)
        # A copy, which is another file soon.
        copy = os.path.join(self.folder, "python-copy")
        shutil.copy(os.path.realpath(last), copy)
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(last)))
        self.start("replaced", [copy, "-S"], "kinds", CPU_SECONDS, {
            "PYTHONHOME": prefix, "LD_LIBRARY_PATH": os.path.join(prefix, "lib")})
        shutil.copy("/bin/true", copy + ".new")
        os.replace(copy + ".new", copy)
        if shared:
            prefix = os.path.dirname(os.path.dirname(list(shared.values())[-1]))
            include = glob.glob(prefix + "/include/python3.*")[0]
            binary = os.path.join(self.folder, "embedding")
            compile_c(binary, EMBEDDING, "-I" + include, "-L" + prefix + "/lib", "-Wl,-rpath," + prefix + "/lib",
                      "-l" + os.path.basename(include), "-Wno-deprecated-declarations")
            self.start("embedded", [binary], "kinds", CPU_SECONDS, {"PYTHONHOME": prefix})
            self.check_kinds("embedded")
        self.check_kinds("replaced")
        for name in ("first", "last"):
            forked = self.stacks(f"forked-{name}", 2)
            # Discovery may know the one later than the other.
            self.assertGreater(forked.share("in_child", "hot"), 0.25, str(forked))
            self.assertGreater(forked.share("in_parent", "hot"), 0.25, str(forked))
            stopped = self.stacks(f"stopped-{name}", 1).within("<module>", "stopped")
            self.assertGreater(stopped.share("stopped", "before_stop", "hot"), 0.7, str(stopped))
            sub = self.stacks(f"sub-{name}", 1)
            self.assertGreater(sub.share("in_subinterpreter"), 0.7, str(sub))
            # The frames up to the bad link are there; what is beyond is cut, with a reason.
            scribbled = self.stacks(f"scribbled-{name}", 1)
            self.assertGreater(scribbled.share("scribbled", "hot"), 0.5, str(scribbled))

    def test_3_the_collector_lives(self):
        """Nothing of the above has ended it, and no sample was lost on the way."""
        self.assertTrue(self.pipeline.is_ready("ebpf-collector"))
        wait_for("all samples are accounted for", lambda: self.pipeline.metric(
            "ebpf-collector", "stoker_ebpf_collector_conservation_error") == 0)
        state = self.pipeline.state("ebpf-collector")["ebpf"]["python"]
        self.assertGreater(state["read"], 50)
        self.assertEqual(state["refused"], 0)

    def test_4_parked(self):
        """At a parked point the stacks are those that py-spy sees."""
        py_spy = shutil.which("py-spy") or os.path.expanduser("~root/.cache/stoker/py-spy/bin/py-spy")
        if not os.path.exists(py_spy):
            self.skipTest("py-spy is not installed")
        path = self.newest((3, 12), (3, 11), (3, 10))
        process = self.start("parked", [path, "-S"], "parked", 0)
        self.assertEqual(process.stdout.readline(), "parked\n")
        output = subprocess.run([py_spy, "dump", "--native", "--json", "--pid", str(process.pid)], check=True,
                                capture_output=True, text=True).stdout
        seen = [(f["name"].rsplit(".", 1)[-1], f["line"]) if f["filename"].endswith(".py") else f["module"] or ""
                for f in reversed(json.loads(output)[0]["frames"])]
        stacks = self.stacks("parked", 2)
        process.kill()

        def fold(frames):
            """Functions and lines of Python, and the files of extensions and libraries, each once; without
            the interpreter's own code, which py-spy hides in part, and the kernel's."""
            own = [f for f in frames if isinstance(f, tuple) or (
                f.startswith("/") and not os.path.basename(f).startswith(("libpython", "python", "libc.", "libc-")))]
            return tuple(f for i, f in enumerate(own) if isinstance(f, tuple) or i == 0 or own[i - 1] != f)

        def shape(stack):
            return fold([(last_name(f), f.line) if is_python(f) else f.mapping for f in stack])
        shapes = collections.Counter()
        for stack, value in stacks.stacks:
            shapes[shape(stack)] += value
        most = shapes.most_common(1)[0]
        self.assertIn("callback", [f[0] for f in most[0] if isinstance(f, tuple)])
        self.assertTrue([f for f in most[0] if "_ctypes" in f], most[0])
        self.assertEqual(most[0], fold(seen), str(stacks))
        self.assertGreater(most[1] / stacks.within("by_key").total, 0.95, str(stacks))

    def test_5_freed_code(self):
        """Functions that are forgotten at once have their name, or say that it is gone."""
        path = self.newest((3, 12), (3, 11), (3, 10))
        self.start("freed", [path, "-S"], "freed", 2)
        stacks = self.stacks("freed", 2)
        for stack, _ in stacks.stacks:
            for frame in stack:
                self.assertTrue(not frame.mapping.startswith("[python") or frame.name or
                                frame.mapping in ("[python: gone]", "[python: unread]"), frame)

    def test_6_not_enabled(self):
        """Without python_enabled there are native frames only, from the reload on."""
        with open(self.pipeline.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.pipeline.config, "w", encoding="utf-8") as file:
            file.write(text.replace("python_enabled   = true", "python_enabled   = false"))
        self.assertEqual(self.pipeline.ask_gateway("POST", "/-/reload")[0], 200)
        self.start("not-enabled", [self.newest((3, 12), (3, 11), (3, 10)), "-S"], "kinds", 2)
        stacks = self.stacks("not-enabled", 2)
        self.assertFalse([f for stack, _ in stacks.stacks for f in stack if f.mapping.startswith("[python")])
        self.assertTrue([f for stack, _ in stacks.stacks for f in stack
                         if "PyEval_EvalFrame" in f.name or f.mapping.endswith("python3.11")], str(stacks))


if __name__ == "__main__":
    if os.geteuid() == 0:
        own_network()
    xml_report.main()
