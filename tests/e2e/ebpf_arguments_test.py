#!/usr/bin/python3
"""Every argument of pyroscope.ebpf does what its page says, and a reload takes it over while all
processes live on and no sample is lost or counted twice."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from far_end import FarEnd  # noqa: E402
from pipeline import FIXTURES, Pipeline, own_network, wait_for  # noqa: E402
import xml_report  # noqa: E402

# One thread in a C++ function of its own, one that has the kernel fill pages.
PROGRAM = r"""
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
volatile unsigned long sink;
template <typename T> struct Mill { void Grind(T turns); };
template <typename T> __attribute__((noinline)) void Mill<T>::Grind(T turns) {
  for (T i = 0; i < turns; ++i) sink = sink * 31 + i;
}
static void* Read(void*) {
  static char buffer[1 << 20];
  pthread_setname_np(pthread_self(), "reader");
  const int zero = open("/dev/zero", O_RDONLY);
  while (read(zero, buffer, sizeof buffer) > 0) {}
  return nullptr;
}
int main() {
  pthread_setname_np(pthread_self(), "miller");
  pthread_t reader;
  pthread_create(&reader, nullptr, Read, nullptr);
  Mill<int> mill;
  while (true) mill.Grind(1000000);
}
"""
MANGLED = "_ZN4MillIiE5GrindEi"
DEMANGLED = {"none": MANGLED, "simplified": "Mill::Grind", "templates": "Mill<int>::Grind",
             "full": "Mill<int>::Grind(int)"}

CONFIG = """
discovery.process "all" {
	refresh_interval = "1s"
}

discovery.relabel "named" {
	targets = discovery.process.all.targets

	rule {
		source_labels = ["__meta_process_exe"]
		regex         = ".*/([^/]+)"
		target_label  = "service_name"
	}
	rule {
		action        = "keep"
		source_labels = ["service_name"]
		regex         = "threads|hot"
	}
}

discovery.relabel "none" {
	targets = discovery.relabel.named.output

	rule {
		action        = "keep"
		source_labels = ["service_name"]
		regex         = "%(lazy)s"
	}
}
%(components)s
pyroscope.write "first" {
	endpoint {
		url = "%(first)s"
	}
}

pyroscope.write "second" {
	endpoint {
		url = "%(second)s"
	}
}
"""
COMPONENT = """
pyroscope.ebpf "%s" {
%s}
"""
HOST = "pyroscope.ebpf.host"
DEFAULTS = {"targets": "discovery.relabel.named.output",
            "forward_to": "[pyroscope.write.first.receiver]", "collect_interval": '"1s"'}
LAZY = {**DEFAULTS, "targets": "discovery.relabel.none.output", "lazy_mode": "true",
        "sample_rate": "313"}
LAZY_PERIOD = 1_000_000_000 // 313


def block(name, arguments):
    return COMPONENT % (name, "".join(f"\t{key} = {value}\n" if value is not None else f"\t{key}\n"
                                      for key, value in arguments.items()))


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class EbpfArgumentsTest(unittest.TestCase):
    """One pipeline for all cases, which run in the order of their names; each changes arguments."""

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.far, cls.second = stack.enter_context(FarEnd()), stack.enter_context(FarEnd())
        cls.pipeline = stack.enter_context(
            Pipeline(config="\n", processes=["forwarder", "symbolizer", "ebpf-collector", "discovery"]))
        cls.lazy = "nothing"
        cls.write({})
        program = os.path.join(cls.pipeline.folder, "threads")
        subprocess.run(["g++", "-x", "c++", "-", "-o", program, "-O1", "-fno-omit-frame-pointer", "-pthread"],
                       input=PROGRAM, text=True, check=True)
        cls.pipeline.start()
        cls.program = subprocess.Popen([program])
        stack.callback(cls.program.wait)
        stack.callback(cls.program.kill)
        wait_for("the first profile", lambda: cls.far.profiles("threads"), 60)
        cls.collector = cls.pipeline.pid("ebpf-collector")

    def tearDown(self):
        self.assertEqual(self.pipeline.pid("ebpf-collector"), self.collector, "it was started anew")

    @classmethod
    def write(cls, arguments, others=""):
        text = CONFIG % {
            "components": block("host", {**DEFAULTS, **arguments}) + block("lazy", LAZY) + others,
            "first": cls.far.url, "second": cls.second.url, "lazy": cls.lazy}
        with open(cls.pipeline.config + ".next", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(cls.pipeline.config + ".next", cls.pipeline.config)

    def reload(self, others="", **arguments):
        """Takes arguments over; the time from which on they hold."""
        self.write(arguments, others)
        status, text = self.pipeline.ask_gateway("POST", "/-/reload")
        self.assertEqual(status, 200, text)
        return time.time_ns()

    def profile(self, since, service="threads", far=None, **expected):
        """The first profile whose interval began after the reload, and lasted."""
        def found():
            for profile in (far or self.far).profiles(service, since):
                if len(profile.samples) > 3 and profile.period != LAZY_PERIOD:
                    return profile
            return None
        return wait_for(f"a profile of {service}", found, 20)

    def state(self):
        return self.pipeline.state("ebpf-collector")["ebpf"]

    def metric(self, pattern):
        return self.pipeline.metric("ebpf-collector", pattern)

    def in_kernel(self, profile):
        """Value of samples with a frame of the kernel, and of those without."""
        inside = sum(s.value for s in profile.samples if any(m.startswith("[k") for m in s.mappings))
        return inside, profile.total - inside

    def test_01_defaults(self):
        """97 Hz of CPU time, mangled names, user and kernel together; no labels of samples."""
        profile = self.profile(time.time_ns())
        self.assertEqual(profile.labels, {"__name__": "process_cpu", "service_name": "threads"})
        self.assertEqual(profile.types, [("cpu", "nanoseconds")])
        self.assertEqual(profile.period, 1_000_000_000 // 97)
        self.assertTrue(all(s.value % profile.period == 0 and s.labels == {} for s in profile.samples))
        self.assertIn(MANGLED, profile.names())
        self.assertTrue(all(value > 0 for value in self.in_kernel(profile)), self.in_kernel(profile))

    def test_02_collect_interval(self):
        run = self.state()["streams"][HOST]["run"]
        profile = self.profile(self.reload(collect_interval='"2s"'))
        self.assertAlmostEqual(profile.duration / 1e9, 2.5, delta=0.6)
        profile = self.profile(self.reload(collect_interval='"500ms"'))
        self.assertLess(profile.duration / 1e9, 1)
        self.assertEqual(self.state()["streams"][HOST]["run"], run, "the stream need not begin anew")

    def test_03_sample_rate(self):
        profile = self.profile(self.reload(sample_rate="499"))
        self.assertEqual(profile.period, 1_000_000_000 // 499)
        self.assertEqual(self.state()["sample_rates"], [499])

    def test_04_demangle(self):
        for mode, name in DEMANGLED.items():
            profile = self.profile(self.reload(demangle=f'"{mode}"'))
            self.assertIn(name, profile.names(), mode)

    def test_05_kernel(self):
        """Without frames of the kernel its time is its callers'; without those of the user only the
        samples of the kernel are left, and what is left out is counted."""
        for argument in ("kernel_frames", "collect_kernel_profile"):
            profile = self.profile(self.reload(**{argument: "false"}))
            self.assertEqual(self.in_kernel(profile)[0], 0, argument)
            self.assertGreater(profile.total, 0)
            self.assertTrue(any("read" in name for name in profile.names()), profile.names())
        dropped = r'stoker_ebpf_collector_dropped(_total)?\{.*reason="not_collected"'
        before = self.metric(dropped)
        profile = self.profile(self.reload(collect_user_profile="false"))
        self.assertEqual(self.in_kernel(profile)[1], 0)
        self.assertNotIn(MANGLED, profile.names())
        self.assertGreater(self.metric(dropped), before)

    def test_06_comm(self):
        """The thread's name as label of its samples, as root frame, or both."""
        threads = {"miller", "reader"}
        for mode, label, frame in (("label", 1, 0), ("stackframe", 0, 1), ("both", 1, 1), ("none", 0, 0)):
            profile = self.profile(self.reload(comm=f'"{mode}"'))
            self.assertEqual({s.labels.get("comm") for s in profile.samples},
                             threads if label else {None}, mode)
            roots = {s.stack[0] for s in profile.samples}
            self.assertEqual(roots if frame else roots & threads, threads if frame else set(), mode)
        grinds = [s for s in self.profile(self.reload(comm='"both"')).samples if MANGLED in s.stack]
        self.assertEqual({(s.stack[0], s.labels["comm"]) for s in grinds}, {("miller", "miller")})

    def test_07_pid_label(self):
        profile = self.profile(self.reload(pid_label="true"))
        self.assertEqual({s.labels.get("pid") for s in profile.samples}, {str(self.program.pid)})

    def test_08_targets_only(self):
        since = self.reload(targets_only="false")
        unspecified = self.profile(since, "ebpf/unspecified")
        self.assertNotIn(MANGLED, unspecified.names())
        self.assertGreater(self.profile(since).total, 0)
        since = self.reload()
        self.profile(since)
        self.assertEqual(self.far.profiles("ebpf/unspecified", since), [])

    def test_09_forward_to(self):
        since = self.reload(forward_to="[pyroscope.write.second.receiver]")
        self.profile(since, far=self.second)
        since = self.reload(forward_to="[pyroscope.write.first.receiver, pyroscope.write.second.receiver]")
        both = [self.profile(since, far=far) for far in (self.far, self.second)]
        self.assertEqual(both[0].start, both[1].start)

    def test_10_caches(self):
        """Sizes ask for no more than is kept; those of symbols are a hint that a stream begins with."""
        self.reload()
        run = self.state()["streams"][HOST]["run"]
        since = self.reload(pid_cache_size="64", container_id_cache_size="16", symbols_map_size="8",
                            pid_map_size="8")
        self.profile(since)
        self.assertEqual(self.state()["streams"][HOST]["run"], run)
        since = self.reload(build_id_cache_size="128", same_file_cache_size="16")
        self.profile(since)
        self.assertNotEqual(self.state()["streams"][HOST]["run"], run)
        self.assertEqual(self.state()["streams"][HOST]["hot_tables"], 144)

    def test_11_not_built(self):
        """What asks for something that is not built is said, once; older arguments are taken."""
        arguments = {"perl_enabled": "true", "php_enabled": "false", "probe_links": '["kprobe:vfs_read"]',
                     "symb_cache_path": '"/nowhere"', "cache_rounds": "3", "go_table_fallback": "true",
                     "debug_info {\n\t\tupload = true\n\t}": None}
        for _ in range(2):
            self.profile(self.reload(**arguments))
        self.pipeline.log.flush()
        with open(self.pipeline.log.name, encoding="utf-8", errors="replace") as file:
            said = [line for line in file if "asks for what is not built" in line]
        for argument, times in (("perl_enabled", 1), ("probe_links", 1), ("debug_info.upload", 1),
                                ("php_enabled", 0), ("symb_cache_path", 0)):
            self.assertEqual(sum(argument in line for line in said), times, (argument, said))

    def test_12_bad_value(self):
        """The last good arguments stay, and the component is named; a good value mends it."""
        self.reload(pid_label="true")
        self.write({"comm": '"all"'})
        self.pipeline.ask_gateway("POST", "/-/reload")
        wait_for("unhealthy", lambda: self.pipeline.ask_gateway("GET", "/-/healthy") ==
                 (500, f"unhealthy components: {HOST}\n"), 10)
        profile = self.profile(time.time_ns())
        self.assertEqual({s.labels.get("pid") for s in profile.samples}, {str(self.program.pid)})
        health = json.loads(self.pipeline.get("ebpf-collector", "/debug/state")[1])
        self.assertIn("invalid comm mode", json.dumps(health))
        self.reload()
        wait_for("healthy", lambda: self.pipeline.ask_gateway("GET", "/-/healthy")[0] == 200, 10)

    def test_13_several(self):
        """Several components at once, each with its own rate, target, receiver and arguments."""
        hot = subprocess.Popen([os.path.join(FIXTURES, "hot"), "600"], stdout=subprocess.DEVNULL)
        try:
            since = self.reload(
                sample_rate="199", comm='"label"',
                others=block("other", {**DEFAULTS, "sample_rate": "499", "pid_label": "true",
                                       "collect_interval": '"700ms"',
                                       "forward_to": "[pyroscope.write.second.receiver]"}) +
                block("third", {**DEFAULTS, "kernel_frames": "false", "sample_rate": "199",
                                "forward_to": "[pyroscope.write.second.receiver]"}))
            first = self.profile(since, "hot")
            self.assertEqual(first.period, 1_000_000_000 // 199)
            self.assertEqual({tuple(s.labels) for s in first.samples}, {("comm",)})
            self.assertEqual(self.state()["sample_rates"], [199, 499])

            def of_second():
                kinds = {(p.period, tuple(s.labels)) for p in self.second.profiles("hot", since)
                         for s in p.samples}
                return kinds if len(kinds) > 1 else None
            self.assertEqual(wait_for("both of the second receiver", of_second, 20),
                             {(1_000_000_000 // 499, ("pid",)), (1_000_000_000 // 199, ())})
            # They measure the same.
            wait_for("some seconds", lambda: sum(p.duration for p in self.far.profiles("hot", since)) > 4e9, 20)
            shares = []
            for far, period in ((self.far, 199), (self.second, 499), (self.second, 199)):
                of = [p for p in far.profiles("hot", since) if p.period == 1_000_000_000 // period]
                shares.append(sum(p.total for p in of) / (max(p.end for p in of) - min(p.start for p in of)))
            for one in shares[1:]:
                self.assertAlmostEqual(one, shares[0], delta=0.25)
        finally:
            hot.kill()
            hot.wait()

    def test_14_nothing_lost(self):
        """Over reloads of every kind a program's samples times their period are the CPU time it used,
        no interval overlaps another, and nothing was lost on the way."""
        since = self.reload(sample_rate="499")
        program = subprocess.Popen([os.path.join(FIXTURES, "hot"), "5"], stdout=subprocess.PIPE)
        changes = [{"sample_rate": "397"}, {"demangle": '"full"'}, {"collect_interval": '"700ms"'},
                   {"comm": '"both"'}, {"sample_rate": "607", "pid_label": "true"}]
        reloads = 0
        while program.poll() is None:
            self.reload(**{"sample_rate": "499", **changes[reloads % len(changes)]})
            reloads += 1
            time.sleep(0.3)
        used = int(program.stdout.read())
        self.reload()
        self.assertGreater(reloads, 5)
        wait_for("its last samples",
                 lambda: sum(p.total for p in self.far.profiles("hot", since)) >= 0.95 * used, 30)
        profiles = sorted(self.far.profiles("hot", since), key=lambda p: p.start)
        self.assertAlmostEqual(sum(p.total for p in profiles) / used, 1, delta=0.05)
        for one, other in zip(profiles, profiles[1:]):
            self.assertLessEqual(one.end, other.start)
        self.assertEqual(self.metric("stoker_ebpf_collector_conservation_error"), 0)
        for reason in ("spool", "queue", "removed", "stopped", "ring_full"):
            self.assertEqual(self.metric(rf'stoker_ebpf_collector_dropped.*reason="{reason}'), 0, reason)
        self.assertEqual(self.pipeline.metric("symbolizer", "stoker_symbolizer_conservation_error"), 0)

        def equal():
            # What is told out is in at the next hop; it is told there first.
            return self.metric("stoker_ebpf_collector_out ") == \
                self.pipeline.metric("symbolizer", "stoker_symbolizer_in ")
        wait_for("as many samples at the symbolizer as were sent", equal, 20)
        self.assertEqual(self.pipeline.metric("symbolizer", "stoker_symbolizer_dropped.*collector_lost"), 0)

    def test_15_lazy_mode(self):
        """Its kernel programs are loaded once there are targets."""
        lazy = r'pyroscope_ebpf_profiling_sessions_total\{component_id="pyroscope.ebpf.lazy"'
        self.assertNotIn(313, self.state()["sample_rates"])
        self.assertEqual(self.metric(lazy), 0)
        type(self).lazy = "threads"
        since = self.reload()
        wait_for("kernel programs", lambda: 313 in self.state()["sample_rates"], 20)
        wait_for("its profiles", lambda: any(p.period == LAZY_PERIOD
                                             for p in self.far.profiles("threads", since)), 20)
        self.assertGreater(self.metric(lazy), 0)

    def test_16_metrics(self):
        """The documented metrics and debug information, with what they should say."""
        of = rf'\{{(.*,)?component_id="{re.escape(HOST)}"'
        self.assertEqual(self.metric("pyroscope_ebpf_active_targets" + of),
                         len(self.state()["targets"][HOST]))
        self.assertGreater(self.metric("pyroscope_ebpf_profiling_sessions_total" + of), 10)
        self.assertEqual(self.metric("pyroscope_ebpf_profiling_sessions_failing_total"), 0)
        self.assertEqual(self.metric("pyroscope_ebpf_pprofs_dropped_total"), 0)
        pprofs = self.metric("pyroscope_ebpf_pprofs_total" + of + '.*service_name="threads"')
        self.assertGreater(pprofs, 10)
        received = [p for far in (self.far, self.second) for p in far.profiles("threads")]
        self.assertLessEqual(pprofs, len(received))
        self.assertGreater(self.metric("pyroscope_ebpf_pprof_bytes_total" + of), 100 * pprofs)
        self.assertGreater(self.metric("pyroscope_ebpf_pprof_samples_total" + of), pprofs)
        self.assertGreater(self.metric("pyroscope_fanout_latency_count" + of), 10)
        state = self.state()
        self.assertIn("threads", [t["service_name"] for t in state["targets"][HOST]])
        entry = next(e for e in state["pid_cache"]["lru"] if e["pid"] == self.program.pid)
        table = next(t for t in entry["elf_tables"] if t["file"].endswith("/threads"))
        self.assertGreater(table["symbol_count"], 10)
        tables = state["elf_cache"]["build_id_cache"]["lru"] + state["elf_cache"]["same_file_cache"]["lru"]
        self.assertIn(table, tables)

    def test_17_sighup(self):
        """A signal takes arguments over as the request does."""
        self.write({"sample_rate": "211"})
        self.pipeline.process.send_signal(signal.SIGHUP)
        wait_for("the rate", lambda: 211 in self.state()["sample_rates"], 20)
        self.assertEqual(self.profile(time.time_ns()).period, 1_000_000_000 // 211)


if __name__ == "__main__":
    own_network()
    xml_report.main()
