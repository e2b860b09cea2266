#!/usr/bin/python3
"""Every component of discovery that asks over HTTP, against servers that fail in every way at once: slow,
silent, huge, wrong, refusing."""
import gzip
import http.server
import json
import os
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.abspath("tests/kubernetes"))
from api_server import make_pod  # noqa: E402
from pipeline import Pipeline, own_network, wait_for  # noqa: E402
from target_list import TargetList  # noqa: E402
import xml_report  # noqa: E402

_MEGABYTE = 1 << 20
# What discovery takes at its worst here, in which all of these answers come at once, and what is left.
_MOST_BYTES = 400 * _MEGABYTE


def refuse(status, **headers):
    """A handler of requests that answers with that status."""
    def answer(handler):
        handler.reply(status, b'{"kind": "Status", "message": "because"}', **headers)
    return answer


def body(data, **headers):
    return lambda handler: handler.reply(200, data, **headers)


def half(handler):
    handler.begin(Content_Length=1000)
    handler.wfile.write(b"[{")


def announced(handler):
    handler.begin(Content_Length=100 * _MEGABYTE)
    for _ in range(100):
        handler.wfile.write(b" " * _MEGABYTE)


def chunked(handler):
    handler.begin(Transfer_Encoding="chunked")
    piece = b"[" + b" " * (_MEGABYTE - 1)
    for _ in range(100):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        piece = b" " * _MEGABYTE


def silent(handler):
    handler.hold()


def headers_only(handler):
    handler.begin(Content_Length=1000)
    handler.hold()


def drip(handler):
    handler.begin(Content_Length=10000)
    handler.hold(lambda: handler.wfile.write(b" "))


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    handler.hold(lambda: handler.wfile.write(b"x"))


def hang_up(handler):
    handler.close_connection = True


def loop(handler):
    handler.reply(302, b"", Location=handler.path)


# What a server does, and what components then say, as a regular expression.
_LATE = "imed out|too slow|Timeout"
_LARGE = "larger than|too much memory"
_WRONG = "not JSON|no list|not a list|not an object|unsupported content type"
MODES = {
    "s401": (refuse(401), "status 401"),
    "s403": (refuse(403), "status 403"),
    "s500": (refuse(500), "status 500"),
    "busy": (refuse(503, Retry_After="2"), "status 503"),
    "html": (body(b"<html>sign in</html>", Content_Type="text/html"), _WRONG),
    "shape": (body(b'{"x": [1, 2]}'), _WRONG),
    "nested": (body(b"[" * 200000), _WRONG),
    "half": (half, "GET http://127.0.0.1"),
    "announced": (announced, "larger than"),
    "chunked": (chunked, _LARGE),
    "bomb": (body(gzip.compress(b" " * (200 * _MEGABYTE)), Content_Encoding="gzip"), _LARGE),
    "silent": (silent, _LATE),
    "headers": (headers_only, _LATE),
    "drip": (drip, _LATE),
    "drip_headers": (drip_headers, _LATE),
    "hang_up": (hang_up, "GET http://127.0.0.1"),
    "loop": (loop, "redirects"),
}


class Peer:
    """Docker, a kubelet, an API server and target groups on one port, which are good or all fail alike."""

    def __init__(self, fail):
        peer = self
        self.bad = False
        self.generation = 1

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):  # pylint: disable=invalid-name
                stream = "/events" in self.path or "watch=1" in self.path
                try:
                    if peer.bad and stream:
                        # The lists are what fails.
                        self.reply(410, b'{"kind": "Status", "code": 410}')
                    elif peer.bad:
                        self.close_connection = True
                        fail(self)
                    elif stream:
                        self.begin(Transfer_Encoding="chunked")
                        self.close_connection = True
                        self.hold()
                    else:
                        self.good()
                except OSError:
                    self.close_connection = True

            def begin(self, **headers):
                self.send_response(200)
                for name, value in {"Content_Type": "application/json", **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.flush()

            def reply(self, status, data, **headers):
                self.send_response(status)
                for name, value in {"Content_Type": "application/json", "Content_Length": len(data),
                                    **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(data)

            def hold(self, meanwhile=lambda: None):
                """Until the peer is another."""
                was = peer.bad
                while peer.bad == was:
                    meanwhile()
                    time.sleep(0.2)

            def good(self):
                address = f"10.0.0.{peer.generation}"
                answers = {
                    "/targets": [{"targets": [address + ":1"]}],
                    "/networks": [],
                    "/containers/json": [{"Id": "c", "Names": ["/c"], "NetworkSettings": {
                        "Networks": {"bridge": {"IPAddress": address}}}}],
                    "/nodes": [{"ID": "n", "Spec": {}, "Description": {"Hostname": "h"},
                                "Status": {"Addr": address}}],
                    "/pods": {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
                              "items": [make_pod("p", ip=address)]}}
                path = self.path.partition("?")[0]
                if path == "/_ping":
                    return self.reply(200, b"OK", Api_Version="1.41")
                [answer] = [value for end, value in answers.items() if path.endswith(end)]
                return self.reply(200, json.dumps(answer).encode())

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass
        server = Server(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()


_TYPES = ["http", "docker", "dockerswarm", "kubelet", "kubernetes"]
_COMPONENTS = """
discovery.http "{name}" {{
	url              = "http://127.0.0.1:{port}/targets"
	refresh_interval = "500ms"
}}
discovery.docker "{name}" {{
	host             = "tcp://127.0.0.1:{port}"
	refresh_interval = "500ms"
}}
discovery.dockerswarm "{name}" {{
	host             = "tcp://127.0.0.1:{port}"
	role             = "nodes"
	refresh_interval = "500ms"
}}
discovery.kubelet "{name}" {{
	url              = "http://127.0.0.1:{port}/kubelet"
	refresh_interval = "500ms"
}}
discovery.kubernetes "{name}" {{
	role       = "pod"
	api_server = "http://127.0.0.1:{port}"

	selectors {{
		role  = "pod"
		label = "app"
	}}
}}
discovery.relabel "{name}" {{
	targets = concat(discovery.http.{name}.targets, discovery.docker.{name}.targets,
		discovery.dockerswarm.{name}.targets, discovery.kubelet.{name}.targets,
		discovery.kubernetes.{name}.targets)
}}
"""


def addresses(targets):
    return sorted(target["__address__"].partition(":")[0] for target in targets or [])


class BadSourcesTest(unittest.TestCase):
    """All at once."""
    maxDiff = None

    def errors(self, pipeline):
        components = pipeline.state("discovery")["discovery"]["components"]
        return {c["id"]: c["error"] for c in components if "error" in c and "relabel" not in c["id"]}

    def memory(self, pipeline, field):
        with open(f"/proc/{pipeline.pid('discovery')}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(field))

    def test_all(self):
        """Each says what is wrong and where, within a bounded time and memory, keeps its list, and goes on by
        itself when its server is well."""
        peers = {name: Peer(fail) for name, (fail, _) in MODES.items()}
        text = "".join(_COMPONENTS.format(name=name, port=peer.port) for name, peer in peers.items())
        with Pipeline(config="\n", extra=text, processes=["discovery"]) as pipeline:
            pipeline.start()
            lists = {name: TargetList(pipeline, f"discovery.relabel.{name}", "output", "") for name in peers}
            try:
                for name, targets in lists.items():
                    targets.wait(name, lambda now: addresses(now) == ["10.0.0.1"] * 5, 60)
                self.assertEqual(self.errors(pipeline), {})
                self.go_bad(pipeline, peers)
                for name, targets in lists.items():
                    self.assertEqual(addresses(targets.now()), ["10.0.0.1"] * 5, name)
                begin = time.monotonic()
                for peer in peers.values():
                    peer.generation, peer.bad = 2, False
                for name, targets in lists.items():
                    targets.wait(name + " again", lambda now: addresses(now) == ["10.0.0.2"] * 5, 90)
                wait_for("healthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 200)
                print(f"well {time.monotonic() - begin:.0f} s after the servers were, "
                      f"{self.memory(pipeline, 'VmRSS') >> 20} MiB")
            finally:
                for targets in lists.values():
                    targets.__exit__(None, None, None)

    def go_bad(self, pipeline, peers):
        begin = time.monotonic()
        for peer in peers.values():
            peer.bad = True
        wanted = {f"discovery.{kind}.{name}": pattern for name, (_, pattern) in MODES.items() for kind in _TYPES}
        last = {}

        def told():
            for component, error in self.errors(pipeline).items():
                if component in wanted and re.search(wanted[component], error):
                    last.setdefault(component, (time.monotonic() - begin, error))
            return len(last) == len(wanted)
        try:
            wait_for("all to fail", told, 150)
        except AssertionError:
            now = self.errors(pipeline)
            self.fail("these do not say what is wrong:\n" + "\n".join(
                f"{one}: {now.get(one)}" for one in wanted if one not in last))
        for component, (after, error) in sorted(last.items()):
            print(f"{after:5.1f} s  {component}: {error[:200]}")
            # What failed and where.
            self.assertIn(f"127.0.0.1:{peers[component.split('.')[-1]].port}", error, component)
        status, text = pipeline.get("discovery", "/-/healthy")
        self.assertEqual(status, 500)
        for component in wanted:
            self.assertIn(component, text.decode())
        failed = {kind: pipeline.metric("discovery", f'prometheus_sd_refresh_failures_total.*mechanism="{kind}"')
                  for kind in _TYPES[:4]}
        failed["kubernetes"] = pipeline.metric("discovery", "prometheus_sd_kubernetes_failures_total")
        for kind, count in failed.items():
            self.assertGreaterEqual(count, len(MODES), kind)
        most = self.memory(pipeline, "VmHWM")
        print(f"{len(last)} components failed within {max(after for after, _ in last.values()):.0f} s, "
              f"at most {most >> 20} MiB")
        self.assertLess(most, _MOST_BYTES)


if __name__ == "__main__":
    own_network()
    xml_report.main()
