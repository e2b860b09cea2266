#!/usr/bin/python3
"""Profiles scraped while the forwarder is away wait on disk and arrive once, over a kill and a stop."""
import os
import subprocess
import sys
import threading
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, SERVICES, Pipeline, own_network, wait_for  # noqa: E402
import xml_report  # noqa: E402

TARGETS = 20

CONFIG = """
pyroscope.scrape "farm" {{
	targets = [
{targets}
	]
	forward_to      = [pyroscope.write.store.receiver]
	scrape_interval = "1s"
	scrape_timeout  = "2s"

	profiling_config {{
		profile.memory {{ enabled = false }}
		profile.block {{ enabled = false }}
		profile.goroutine {{ enabled = false }}
		profile.mutex {{ enabled = false }}
		profile.process_cpu {{ enabled = false }}
		profile.custom "count" {{
			enabled = true
			path    = "/debug/pprof/allocs"
		}}
	}}
}}

pyroscope.write "store" {{
	endpoint {{
		url = "http://127.0.0.1:{port}"
	}}
}}
"""


class Process:
    """A process of the pipeline that the test starts and kills; its sockets are its own."""

    def __init__(self, pipeline, name):
        self.pipeline, self.name, self.process = pipeline, name, None

    def start(self):
        folder = self.pipeline.folder
        self.process = subprocess.Popen(
            [os.path.join(SERVICES, self.name, f"stoker-{self.name}"), f"--config={self.pipeline.config}",
             f"--run-dir={self.pipeline.run_dir}", f"--data-dir={folder}/data", "--node-name=e2e",
             "--http.listen=none", "--grpc.listen=none"],
            stdout=self.pipeline.log, stderr=self.pipeline.log)
        wait_for(f"{self.name} ready", lambda: self.pipeline.get(self.name, "/-/ready")[0] == 200, 60)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)


@unittest.skipIf(os.geteuid() != 0, "a network of its own needs root")
class ScrapeSpoolTest(unittest.TestCase):
    """Targets whose values tell how many of their profiles arrived."""

    @classmethod
    def setUpClass(cls):
        cls.farm = subprocess.Popen([os.path.join(FIXTURES, "farm-go"), str(TARGETS)],
                                    stdout=subprocess.PIPE, text=True)
        cls.ports = cls.farm.stdout.readline().split()
        cls.served = []
        reader = threading.Thread(target=lambda: cls.served.extend(
            int(line.split()[0]) for line in cls.farm.stdout), daemon=True)
        reader.start()
        cls.addClassCleanup(cls.farm.stdout.close)
        cls.addClassCleanup(reader.join)
        cls.addClassCleanup(cls.farm.wait)
        cls.addClassCleanup(cls.farm.kill)
        cls.pipeline = Pipeline()
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        targets = "\n".join(f'\t\t{{"__address__" = "127.0.0.1:{port}", "service_name" = "farm"}},'
                            for port in cls.ports)
        with open(cls.pipeline.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(targets=targets, port=cls.pipeline.store_port))
        cls.pipeline.start_store()
        cls.discovery, cls.forwarder, cls.scraper = (
            Process(cls.pipeline, name) for name in ("discovery", "forwarder", "scraper"))
        for process in (cls.discovery, cls.forwarder, cls.scraper):
            cls.addClassCleanup(process.kill)

    def tell(self, path):
        urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}{path}").close()

    def serve(self, count):
        """Lets the targets serve that many profiles more, and the scraper have them."""
        wanted = len(self.served) + count
        self.tell("/resume")
        wait_for("profiles", lambda: len(self.served) >= wanted, 60)
        self.tell("/pause")
        wait_for("scrapes to end", lambda: self.metric("running_scrapes") == 0, 30)

    def metric(self, name):
        return self.pipeline.metric("scraper", "stoker_scraper_" + name)

    def queue(self):
        return self.pipeline.state("scraper")["scraper"]["queue"]

    def stored(self):
        return sum(self.pipeline.store.render("farm", profile_type="count:alloc_space:bytes::").values())

    def await_stored(self):
        """Waits until the store has all that was served, and sees that it never has more."""
        try:
            wait_for("all in the store", lambda: self.stored() >= sum(self.served), 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.stored()} of {sum(self.served)}, {self.queue()}") from None
        self.assertEqual(self.stored(), sum(self.served))

    def test_1_killed_while_the_forwarder_is_away(self):
        """What went to disk is read again after a SIGKILL, and arrives once."""
        self.discovery.start()
        self.scraper.start()
        self.serve(100)
        wait_for("all on disk", lambda: self.queue()["unsaved"] == 0, 30)
        self.assertEqual(self.queue()["spilled"], len(self.served))
        self.assertEqual(self.metric("conservation_error"), 0)
        self.scraper.kill()
        self.scraper.start()
        self.assertEqual(self.metric("in "), len(self.served))
        self.forwarder.start()
        self.await_stored()
        wait_for("acknowledged", lambda: self.metric("out ") == len(self.served))
        print(f"{len(self.served)} profiles survived on disk")

    def test_2_stopped_at_once(self):
        """A stop spills what the forwarder, just killed, has not taken; the next life sends it."""
        before = len(self.served)
        self.forwarder.kill()
        self.serve(30)
        self.assertGreater(self.queue()["unsaved"] + self.queue()["spilled"], 0)
        self.assertEqual(self.scraper.stop(), 0)
        self.scraper.start()
        self.forwarder.start()
        self.await_stored()
        print(f"{len(self.served) - before} profiles survived the stop")

    def test_3_both_killed_again_and_again(self):
        """With both killed in turns, nothing that was on disk is lost or doubled."""
        for _ in range(3):
            self.forwarder.kill()
            self.serve(30)
            wait_for("all on disk", lambda: self.queue()["unsaved"] == 0, 30)
            self.forwarder.start()
            self.scraper.kill()
            self.scraper.start()
            self.forwarder.kill()
            self.forwarder.start()
        self.await_stored()
        self.assertEqual(self.metric("dropped"), 0)
        self.assertEqual(self.metric("conservation_error"), 0)


if __name__ == "__main__":
    if os.geteuid() == 0:
        own_network()
    xml_report.main()
