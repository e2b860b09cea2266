#!/usr/bin/python3
"""Three symbolizers share the work; one is killed under load and comes back: nothing is lost, nothing misnamed."""
import http.client
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, SERVICES, Pipeline, free_port, share, wait_for  # noqa: E402
import xml_report  # noqa: E402

NANOSECONDS = 1_000_000_000


class Symbolizer:
    """One replica, in folders of its own."""

    def __init__(self, pipeline, number):
        self.pipeline = pipeline
        self.folder = os.path.join(pipeline.folder, f"symbolizer-{number}")
        self.address = f"127.0.0.1:{free_port()}"
        self.http_port = free_port()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(SERVICES, "symbolizer", "stoker-symbolizer"),
             f"--config={self.pipeline.config}", f"--run-dir={self.folder}",
             f"--data-dir={self.folder}/data", f"--grpc.listen={self.address}",
             f"--http.listen=127.0.0.1:{self.http_port}",
             f"--forwarder=unix:{self.pipeline.run_dir}/forwarder.sock"],
            stdout=self.pipeline.log, stderr=self.pipeline.log)
        wait_for(f"symbolizer {self.address}", lambda: self.get("/-/ready")[0] == 200, 30)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def metric(self, pattern):
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.get("/metrics")[1].splitlines()
                   if not line.startswith("#") and re.match(pattern, line))

    def state(self):
        return json.loads(self.get("/debug/state")[1])["symbolizer"]


@unittest.skipIf(os.geteuid() != 0, "profiling the host needs root")
class SymbolizerShardTest(unittest.TestCase):
    """A node whose stream goes to one of three replicas, and programs that burn CPU throughout."""

    @classmethod
    def setUpClass(cls):
        pipeline = cls.pipeline = Pipeline(interval="1s")
        cls.addClassCleanup(pipeline.__exit__, None, None, None)
        cls.symbolizers = [Symbolizer(pipeline, i) for i in range(3)]
        addresses = ", ".join(f'"{s.address}"' for s in cls.symbolizers)
        with open(pipeline.config, "a", encoding="utf-8") as file:
            file.write(f"stoker {{\n\tsymbolizer {{\n\t\taddresses = [{addresses}]\n\t}}\n}}\n")
        pipeline.start_store()
        for symbolizer in cls.symbolizers:
            cls.addClassCleanup(lambda s=symbolizer: s.process and s.kill())
            symbolizer.start()
        pipeline.start()
        cls.burners = {}
        for name in ("hot", "hot-bare", "hot-go"):
            burner = subprocess.Popen([os.path.join(FIXTURES, name), "600"],
                                      stdout=subprocess.DEVNULL)
            cls.burners[name] = burner
            cls.addClassCleanup(burner.wait)
            cls.addClassCleanup(burner.kill)
        for service in cls.burners:
            wait_for(f"samples of {service}", lambda s=service: pipeline.store.total(s) > 0, 90)

    def burned(self):
        """CPU time of each burner until now, in nanoseconds."""
        used = {}
        for service, process in self.burners.items():
            used[service] = 0
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with open(f"/proc/{process.pid}/task/{task}/schedstat", encoding="utf-8") as file:
                    used[service] += int(file.read().split()[0])
        return used

    def stored(self):
        return {service: self.pipeline.store.total(service) for service in self.burners}

    def holder(self):
        """The replica that has the node's stream, or none."""
        connected = [s for s in self.symbolizers
                     if s.process.poll() is None and any(source["connected"] for source
                                                         in s.state()["sources"])]
        return connected[0] if len(connected) == 1 else None

    def check_lossless(self, disturb):
        """All CPU time that is burned around `disturb` reaches the store, and no more."""
        stored, start = self.stored(), self.burned()
        disturb()
        wait_for("burned some seconds", lambda: all(
            now - start[s] > 3 * NANOSECONDS for s, now in self.burned().items()), 120)
        used = {s: now - start[s] for s, now in self.burned().items()}
        # What was under way before comes on top.
        for service in self.burners:
            wait_for(f"everything of {service} in the store",
                     lambda s=service: self.pipeline.store.total(s) - stored[s]
                     > 0.97 * used[s] - NANOSECONDS // 10, 60)
            more = self.pipeline.store.total(service) - stored[service]
            self.assertLess(more - (self.burned()[service] - start[service]), 4 * NANOSECONDS)

    def check_names(self):
        """The stacks of the fixtures have their functions where they are, and nothing else's."""
        for service, names in {"hot": ("main", "work", "hot", "cold"),
                               "hot-bare": ("main", "work", "hot", "cold"),
                               "hot-go": ("main.main", "main.work", "main.hot", "main.cold")}.items():
            main, work, hot, cold = names
            stacks = self.pipeline.store.render(service)
            # The first seconds of a binary that another replica owns may go without names.
            named = {stack: value for stack, value in stacks.items() if work in stack}
            self.assertGreater(sum(named.values()) / sum(stacks.values()), 0.75, service)
            self.assertGreater(share(named, main, work, hot), 0.6, service)
            self.assertGreater(share(named, main, work, cold), 0.2, service)
            # A name of hot's table at an address of another binary would stand elsewhere.
            for stack, value in stacks.items():
                for caller, frame in zip(stack, stack[1:]):
                    # While its unwind table is made a stack is as long as it can be, and an address
                    # whose owner died while it was asked has no name: none, not a wrong one.
                    if frame in (hot, cold) and not caller.startswith("["):
                        self.assertEqual(caller, work, (service, stack, value))

    def check_balance(self):
        for symbolizer in self.symbolizers:
            self.assertEqual(symbolizer.metric("stoker_symbolizer_conservation_error"), 0)
            self.assertEqual(symbolizer.metric("stoker_symbolizer_dropped"), 0)
        for name in ("ebpf-collector", "forwarder"):
            metric = "stoker_" + name.replace("-", "_")
            wait_for(f"{name} balances", lambda n=name, m=metric:
                     self.pipeline.metric(n, m + "_conservation_error") == 0)
        self.assertEqual(self.pipeline.metric(
            "ebpf-collector", r'stoker_ebpf_collector_dropped\{.*reason="(queue_full|stopped|invalid)"'),
            0)

    def test_1_share_the_work(self):
        """One replica has the stream, the others own tables that it asks for; all is named."""
        holder = wait_for("one replica has the stream", self.holder, 30)
        self.check_lossless(lambda: None)
        others = [s for s in self.symbolizers if s is not holder]
        wait_for("others own tables", lambda: sum(s.state()["tables"]["count"] for s in others) > 0, 30)
        self.assertGreater(holder.state()["replicas"]["remote_binaries"], 0)
        self.check_names()
        self.check_balance()

    def test_2_the_one_with_the_stream_is_killed(self):
        """Its work goes on at another one, from what the collector keeps."""
        killed = wait_for("one replica has the stream", self.holder, 30)
        self.check_lossless(killed.kill)
        self.assertIsNot(wait_for("another has the stream", self.holder, 30), killed)
        self.check_names()
        # It comes back, and with it the stream.
        self.check_lossless(killed.start)
        wait_for("the stream is back", lambda: self.holder() is killed, 60)
        self.check_lossless(lambda: None)
        self.check_names()
        self.check_balance()

    def test_3_an_owner_is_killed(self):
        """Binaries that it owned are asked for anew; what is known keeps its names."""
        holder = wait_for("one replica has the stream", self.holder, 30)
        killed = next(s for s in self.symbolizers if s is not holder)
        self.check_lossless(killed.kill)
        program = subprocess.run([os.path.join(FIXTURES, "hot"), "3"], check=True,
                                 stdout=subprocess.DEVNULL)
        self.assertEqual(program.returncode, 0)
        self.check_names()
        self.check_lossless(killed.start)
        self.check_names()
        self.check_balance()


if __name__ == "__main__":
    xml_report.main()
