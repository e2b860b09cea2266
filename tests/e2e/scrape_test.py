#!/usr/bin/python3
"""What a real Go program serves is scraped and stored with the right types; bad targets harm nobody."""
import http.server
import os
import subprocess
import sys
import threading
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pipeline import FIXTURES, Pipeline, free_port, own_network, share, wait_for  # noqa: E402
import xml_report  # noqa: E402

CONFIG = """
pyroscope.scrape "web" {{{{
	targets = [
		{{{{"__address__" = "127.0.0.1:{web}", "service_name" = "web", "zone" = "a"}}}},
		{{{{"__address__" = "127.0.0.1:{closed}", "service_name" = "closed"}}}},
		{{{{"__address__" = "127.0.0.1:{bad}", "service_name" = "html"}}}},
		{{{{"__address__" = "127.0.0.1:{bad}", "service_name" = "hang", "__profile_path_prefix__" = "/hang"}}}},
		{{{{"service_name" = "nowhere"}}}},
	]
	forward_to      = [pyroscope.write.store.receiver]
	scrape_interval = "2s"
	scrape_timeout  = "3s"
}}}}

pyroscope.write "store" {{{{
	endpoint {{{{
		url = "http://127.0.0.1:{{port}}"
	}}}}
}}}}
"""

TYPES = {
    "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
    "process_cpu:samples:count:cpu:nanoseconds",
    "memory:alloc_objects:count:space:bytes",
    "memory:alloc_space:bytes:space:bytes",
    "memory:inuse_objects:count:space:bytes",
    "memory:inuse_space:bytes:space:bytes",
    "goroutine:goroutine:count:goroutine:count",
    "block:contentions:count:contentions:count",
    "block:delay:nanoseconds:contentions:count",
    "mutex:contentions:count:contentions:count",
    "mutex:delay:nanoseconds:contentions:count",
}


class BadTarget(http.server.BaseHTTPRequestHandler):
    """Answers a page with status 200, and below /hang nothing until the test ends."""
    over = threading.Event()

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path.startswith("/hang"):
            self.over.wait(600)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><html>Please log in.</html>")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@unittest.skipIf(os.geteuid() != 0, "a network of its own needs root")
class ScrapeTest(unittest.TestCase):
    """One pipeline with one good target and four bad ones."""

    @classmethod
    def setUpClass(cls):
        cls.web = subprocess.Popen([os.path.join(FIXTURES, "web-go")], stdout=subprocess.PIPE,
                                   text=True)
        cls.web_port = int(cls.web.stdout.readline())
        cls.requests = []
        reader = threading.Thread(target=lambda: cls.requests.extend(
            line.strip() for line in cls.web.stdout), daemon=True)
        reader.start()
        # In the reverse order: the log ends with the program.
        cls.addClassCleanup(cls.web.stdout.close)
        cls.addClassCleanup(reader.join)
        cls.addClassCleanup(cls.web.wait)
        cls.addClassCleanup(cls.web.kill)
        cls.bad = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BadTarget)
        cls.bad.daemon_threads = True
        threading.Thread(target=cls.bad.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.bad.shutdown)
        cls.addClassCleanup(BadTarget.over.set)
        cls.pipeline = Pipeline(
            config=CONFIG.format(web=cls.web_port, closed=free_port(),
                                 bad=cls.bad.server_address[1]),
            processes=["forwarder", "scraper", "discovery"])
        cls.addClassCleanup(cls.pipeline.__exit__, None, None, None)
        cls.pipeline.start_store()
        cls.allocated_at_start = cls.allocated()
        cls.pipeline.start()

    @classmethod
    def allocated(cls):
        with urllib.request.urlopen(f"http://127.0.0.1:{cls.web_port}/allocated") as answer:
            return int(answer.read())

    def component(self):
        return self.pipeline.state("scraper")["scraper"]["components"]["pyroscope.scrape.web"]

    def jobs(self, service):
        return [job for job in self.component()["jobs"] if job["labels"]["service_name"] == service]

    def test_1_types(self):
        """The store has every sample type of the five default profile types."""
        wait_for("all types", lambda: TYPES <= self.pipeline.store.profile_types(), 60)
        self.assertEqual(self.pipeline.store.profile_types(), TYPES)
        self.assertEqual(self.pipeline.store.label_values("service_name"), ["web"])
        self.assertEqual(self.pipeline.store.label_values("job"), ["pyroscope.scrape.web"])
        self.assertEqual(self.pipeline.store.label_values("instance"), [f"127.0.0.1:{self.web_port}"])
        self.assertEqual(self.pipeline.store.label_values("zone"), ["a"])

    def test_2_cpu(self):
        """The CPU time is where the program burns it."""
        wait_for("CPU time", lambda: self.pipeline.store.total("web") > 1_000_000_000, 60)
        stacks = self.pipeline.store.render("web")
        self.assertIn("main.burn", max(stacks, key=stacks.get))
        self.assertGreater(share(stacks, "main.burn"), 0.4)

    def test_3_requests(self):
        """The target's own log has the URLs that the seed lists, and no others."""
        asked = {uri for uri in self.requests if uri != "/allocated"}
        self.assertEqual(sorted(asked), [
            "/debug/pprof/allocs", "/debug/pprof/block", "/debug/pprof/goroutine",
            "/debug/pprof/mutex", "/debug/pprof/profile?seconds=1"])

    def test_4_bad_targets(self):
        """Each bad target says what is wrong with it; the good one is up throughout."""
        def errors(service):
            jobs = self.jobs(service)
            return [job["last_error"] for job in jobs if job["health"] == "down"] \
                if all(job["health"] == "down" for job in jobs) else []
        for error in wait_for("closed", lambda: errors("closed")):
            self.assertIn("connect", error.lower())
        for error in wait_for("html", lambda: errors("html")):
            self.assertIn("text response instead of pprof", error)
        for error in wait_for("hang", lambda: errors("hang"), 60):
            self.assertRegex(error.lower(), "time|deadline")
        refused = self.component()["refused"]
        self.assertEqual([target["error"] for target in refused], ["no address"])
        for job in self.jobs("web"):
            self.assertEqual(job["health"], "up", job)
            self.assertEqual(job["labels"]["job"], "pyroscope.scrape.web")
            self.assertNotEqual(job["last_success"], "")
        self.assertEqual(self.pipeline.ask_gateway("GET", "/-/healthy")[0], 200)

    def test_5_differences(self):
        """What the store has of allocations is what the program has allocated since it is scraped."""
        def stored():
            return sum(self.pipeline.store.render(
                "web", profile_type="memory:alloc_space:bytes:space:bytes").values())
        wait_for("allocations", lambda: stored() > 200 << 20, 90)
        self.assertLess(stored(), (self.allocated() - self.allocated_at_start) * 1.1)

    def test_6_conservation(self):
        """Every sample that was scraped is accounted for, and reached the forwarder."""
        metric = self.pipeline.metric
        self.assertGreater(metric("scraper", "stoker_scraper_out"), 0)
        self.assertEqual(metric("scraper", "stoker_scraper_dropped"), 0)
        self.assertEqual(metric("scraper", "stoker_scraper_conservation_error"), 0)
        self.assertGreater(metric("scraper", "pyroscope_fanout_latency_count"), 0)

    def test_7_restart_of_the_forwarder(self):
        """Profiles wait for a forwarder that was killed."""
        before = self.pipeline.pid("forwarder")
        os.kill(before, 9)
        wait_for("back", lambda: self.pipeline.pid("forwarder") not in (0, before)
                 and self.pipeline.is_ready("forwarder"), 30)
        stored = self.pipeline.store.total("web")
        wait_for("CPU time again", lambda: self.pipeline.store.total("web") > stored, 60)
        self.assertEqual(self.pipeline.metric("scraper", "stoker_scraper_dropped"), 0)


if __name__ == "__main__":
    if os.geteuid() == 0:
        own_network()
    xml_report.main()
