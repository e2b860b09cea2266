#!/usr/bin/python3
"""discovery.dns, discovery.http and discovery.file against servers and files that change."""
import base64
import functools
import http.client
import http.server
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from own_files import own_mounts, replace_file  # noqa: E402
from pipeline import Pipeline, own_network, wait_for  # noqa: E402
from target_list import TargetList  # noqa: E402
import xml_report  # noqa: E402

_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "AAAA": 28, "SRV": 33}


def configuration(text):
    return Pipeline(config="\n", extra=text, processes=["discovery"])


def addresses(targets):
    return sorted(target["__address__"] for target in targets)


class DnsServer:
    """Answers on port 53 with `zone`: {(name, type): [data of a record]}; a name that is not in it does
    not exist, one with None fails. What is longer than UDP bears is cut short there, whole over TCP."""

    def __init__(self):
        self.zone = {}
        self.over_tcp = 0
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 53))
        self._tcp = socket.create_server(("127.0.0.1", 53))
        for work in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=work, daemon=True).start()

    def _serve_udp(self):
        while True:
            query, peer = self._udp.recvfrom(4096)
            answer = self._answer(query)
            if len(answer) > 512:
                flags = struct.unpack(">H", answer[2:4])[0] | 0x0200
                answer = answer[:2] + struct.pack(">HHHHH", flags, 1, 0, 0, 0) + self._question(query)
            self._udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                size = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))[0]
                answer = self._answer(connection.recv(size, socket.MSG_WAITALL))
                self.over_tcp += 1
                connection.sendall(struct.pack(">H", len(answer)) + answer)

    @staticmethod
    def _question(query):
        end = 12
        while query[end] != 0:
            end += 1 + query[end]
        return query[12:end + 5]

    def _answer(self, query):
        question = self._question(query)
        name, at = [], 0
        while question[at] != 0:
            name.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(name)
        kind = struct.unpack(">H", question[-4:-2])[0]
        known = {entry for entry, _ in self.zone}
        records = self.zone.get((name, kind), [])
        code = 2 if records is None else 0 if name in known else 3
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", record_kind, 1, 60, len(data)) + data
                        for record_kind, data in records or [])
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records or []), 0, 0) + question + body

    def set(self, name, kind, records):
        """`records` as a zone file writes them; None: a failure."""
        number = _TYPES[kind]
        if records is not None:
            records = [(number, self._data(kind, record)) for record in records]
        self.zone[(name, number)] = records

    @staticmethod
    def _data(kind, record):
        def encoded(name):
            return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"
        if kind == "A":
            return socket.inet_pton(socket.AF_INET, record)
        if kind == "AAAA":
            return socket.inet_pton(socket.AF_INET6, record)
        *numbers, name = record.split()
        return b"".join(struct.pack(">H", int(number)) for number in numbers) + encoded(name)


@functools.cache
def dns_server():
    """The server of this test's own /etc/resolv.conf."""
    replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch inner.example\noptions timeout:1\n")
    return DnsServer()


class DnsTest(unittest.TestCase):
    """discovery.dns."""

    @classmethod
    def setUpClass(cls):
        cls.server = dns_server()

    def component(self, label, kind, name, port=9000):
        return ('discovery.dns "%s" {\n\tnames = ["%s"]\n\ttype = "%s"\n\tport = %d\n'
                '\trefresh_interval = "200ms"\n}\n' % (label, name, kind, port))

    def test_types(self):
        """Each type of record; by a search domain; an answer that is too long for UDP; changes, failures
        and names that end to exist."""
        server = self.server
        server.set("_p._tcp.example", "SRV", ["0 5 8080 a.example.", "0 5 8081 b.example."])
        server.set("web.inner.example", "A", ["10.0.0.1"])
        server.set("six.example", "AAAA", ["fd00::1"])
        server.set("example", "MX", ["10 mail.example."])
        server.set("example", "NS", ["ns.example."])
        many = [f"10.1.{i // 200}.{i % 200}" for i in range(600)]
        server.set("many.example", "A", many)
        text = (self.component("srv", "SRV", "_p._tcp.example") + self.component("a", "A", "web") +
                self.component("aaaa", "AAAA", "six.example") + self.component("mx", "MX", "example") +
                self.component("ns", "NS", "example") + self.component("many", "A", "many.example"))
        with configuration(text) as pipeline:
            pipeline.start()

            def check(label, expected):
                with TargetList(pipeline, f"discovery.dns.{label}") as targets:
                    now, _ = targets.wait(label, lambda now: len(now) == len(expected))
                    self.assertEqual(addresses(now), sorted(expected))
                    return now
            srv = check("srv", ["a.example:8080", "b.example:8081"])
            self.assertIn({"__address__": "a.example:8080", "__meta_dns_name": "_p._tcp.example",
                           "__meta_dns_srv_record_port": "8080",
                           "__meta_dns_srv_record_target": "a.example."}, srv)
            self.assertEqual(check("aaaa", ["[fd00::1]:9000"]),
                             [{"__address__": "[fd00::1]:9000", "__meta_dns_name": "six.example"}])
            self.assertEqual(check("mx", ["mail.example:9000"])[0]["__meta_dns_mx_record_target"],
                             "mail.example.")
            self.assertEqual(check("ns", ["ns.example:9000"])[0]["__meta_dns_ns_record_target"],
                             "ns.example.")
            check("many", [address + ":9000" for address in many])
            self.assertGreater(server.over_tcp, 0)
            with TargetList(pipeline, "discovery.dns.a") as targets:
                targets.wait("one", lambda now: addresses(now) == ["10.0.0.1:9000"])
                server.set("web.inner.example", "A", ["10.0.0.1", "10.0.0.2"])
                targets.wait("two", lambda now: len(now) == 2)
                server.set("web.inner.example", "A", None)
                wait_for("unhealthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 500)
                self.assertEqual(len(targets.now()), 2)
                self.assertGreater(pipeline.metric("discovery", "prometheus_sd_dns_lookup_failures_total"), 0)
                del server.zone[("web.inner.example", _TYPES["A"])]
                targets.wait("none", lambda now: now == [])
                wait_for("healthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 200)


class Groups:
    """Answers every GET over HTTPS with `groups`, where `password` is known or there is none."""

    def __init__(self, folder, port, password=None):
        groups = self
        self.groups, self.password, self.status = [], password, 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                wanted = groups.password and "Basic " + base64.b64encode(
                    ("user:" + groups.password).encode()).decode()
                status = 401 if wanted and self.headers["Authorization"] != wanted else groups.status
                body = json.dumps(groups.groups).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class HttpTest(unittest.TestCase):
    """discovery.http."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stoker-http-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=cls.folder, check=True, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.pem",
                "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com,IP:127.0.0.1", "-days", "2")
        # As if the certificate were of an authority that the machine trusts, and the name ours.
        replace_file("/etc/ssl/certs/ca-certificates.crt", open(f"{cls.folder}/server.pem").read())
        replace_file("/etc/hosts", "127.0.0.1 localhost example.com\n")

    def test_example(self):
        """The documented examples as they are: their targets reach the argument of the scraper."""
        server = Groups(self.folder, 443)
        server.groups = [{"targets": ["web:80", "db:81"], "labels": {"team": "a"}}]
        with configuration("""
discovery.http "dynamic_targets" {
	url = "https://example.com/scrape_targets"
	refresh_interval = "15s"
}
pyroscope.scrape "dynamic" {
	targets = [discovery.http.dynamic_targets.targets]
	forward_to = [pyroscope.write.local.receiver]
}
pyroscope.scrape "local" {
	targets = concat([
		{"__address__" = "localhost:4040", "service_name"="pyroscope"},
		{"__address__" = "localhost:12345", "service_name"="agent"},
	], discovery.http.dynamic_targets.targets)
	forward_to = [pyroscope.write.local.receiver]
}
pyroscope.write "local" {
	endpoint {
		url = "http://pyroscope:4100"
	}
}
""") as pipeline:
            discovery = subprocess.Popen(
                ["services/discovery/stoker-discovery", f"--config={pipeline.config}", "--node-name=e2e",
                 f"--run-dir={pipeline.run_dir}", f"--data-dir={pipeline.folder}/data"],
                stdout=pipeline.log, stderr=pipeline.log)
            try:
                wait_for("discovery", lambda: pipeline.get("discovery", "/-/ready")[0] == 200)
                with TargetList(pipeline, "pyroscope.scrape.dynamic") as dynamic, \
                        TargetList(pipeline, "pyroscope.scrape.local") as local:
                    targets, _ = dynamic.wait("two", lambda now: len(now) == 2)
                    self.assertIn({"__address__": "web:80", "team": "a",
                                   "__meta_url": "https://example.com/scrape_targets"}, targets)
                    targets, _ = local.wait("four", lambda now: len(now) == 4)
                    self.assertEqual(addresses(targets),
                                     ["db:81", "localhost:12345", "localhost:4040", "web:80"])
            finally:
                discovery.terminate()
                discovery.wait(20)

    def test_password_file(self):
        """With a password that is read again when it changes; relabelled; while the server refuses, the
        list stays."""
        server = Groups(self.folder, 8443, "one")
        server.groups = [{"targets": ["web:80"], "labels": {"team": "a"}}, {"targets": ["drop:1"]}]
        password = os.path.join(self.folder, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write("one\n")
        os.chmod(password, 0o644)
        with configuration("""
discovery.http "d" {
	url              = "https://127.0.0.1:8443/t"
	refresh_interval = "200ms"

	basic_auth {
		username      = "user"
		password_file = "%s"
	}

	tls_config {
		ca_file = "%s/server.pem"
	}
}

discovery.relabel "r" {
	targets = discovery.http.d.targets

	rule {
		source_labels = ["team"]
		regex         = "a"
		action        = "keep"
	}

	rule {
		source_labels = ["team", "__address__"]
		separator     = "@"
		target_label  = "service_name"
	}
}
""" % (password, self.folder)) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.relabel.r", "output") as targets:
                now, _ = targets.wait("one", lambda now: len(now) == 1)
                self.assertEqual(now[0]["service_name"], "a@web:80")
                server.password = "two"
                wait_for("refused", lambda: b"discovery.http.d" in pipeline.get("discovery", "/-/healthy")[1])
                self.assertEqual(targets.now(), now)
                server.groups[0]["targets"].append("api:80")
                with open(password + ".next", "w", encoding="utf-8") as file:
                    file.write("two\n")
                os.chmod(password + ".next", 0o644)
                os.rename(password + ".next", password)
                targets.wait("two", lambda now: len(now) == 2)
                wait_for("healthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 200)


class PaceTest(unittest.TestCase):
    """How soon and how often consumers are told."""

    def measure(self, targets, change, seconds=1.0, changes=200):
        """`change(i)` makes `__address__` "i:1": one alone is told within `seconds`, many in a row make
        few messages."""
        targets.wait("the first list", lambda now: len(now) == 1)
        waits = []
        for i in range(1, 6):
            # Not in step with the refreshes.
            time.sleep(0.33)
            begin = time.monotonic()
            change(i)
            _, at = targets.wait(str(i), lambda now, i=i: addresses(now) == [f"{i}:1"])
            waits.append(at - begin)
        before, begin = targets.messages, time.monotonic()
        for i in range(6, 6 + changes):
            change(i)
            time.sleep(0.01)
        targets.wait("the last", lambda now: addresses(now) == [f"{5 + changes}:1"])
        took, messages = time.monotonic() - begin, targets.messages - before
        print(f"told after {', '.join(f'{w * 1000:.0f}' for w in waits)} ms; {changes} changes in {took:.1f} s "
              f"made {messages} messages")
        self.assertLess(max(waits), seconds)
        self.assertGreater(messages, 1)
        self.assertLessEqual(messages, 5 * took + 2)

    def test_http(self):
        """Within a second of the refresh that sees it."""
        class Handler(http.server.BaseHTTPRequestHandler):
            address = "0:1"

            def do_GET(self):  # pylint: disable=invalid-name
                body = json.dumps([{"targets": [Handler.address]}]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A request may be cut short at the end.
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with configuration("""
discovery.http "p" {
	url              = "http://127.0.0.1:%d/t"
	refresh_interval = "50ms"
}
""" % server.server_port) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.http.p") as targets:
                self.measure(targets, lambda i: setattr(Handler, "address", f"{i}:1"))
        server.shutdown()

    def test_dns(self):
        """Within a second of the refresh that sees it."""
        server = dns_server()
        server.set("pace.example", "SRV", ["0 5 1 0."])
        with configuration("""
discovery.dns "p" {
	names            = ["pace.example"]
	type             = "SRV"
	refresh_interval = "50ms"
}
""") as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.dns.p") as targets:
                self.measure(targets, lambda i: server.set("pace.example", "SRV", [f"0 5 1 {i}."]))

    def test_kubernetes(self):
        """Within a second of the change, by the watch."""
        ready, end = os.pipe()
        double = subprocess.Popen([sys.executable, "tests/kubernetes/api_server.py"], pass_fds=[end],
                                  env={**os.environ, "STOKER_READY_FD": str(end)})
        self.addCleanup(double.wait)
        self.addCleanup(double.kill)
        api, control = (int(port) for port in os.read(ready, 100).split())

        def change(i):
            wish = {"pods": [{"name": "p", "ip": str(i), "containers": [["app", [["x", 1, "TCP"]]]]}]}
            connection = http.client.HTTPConnection("127.0.0.1", control, timeout=30)
            connection.request("POST", "/control", json.dumps(wish))
            connection.getresponse().read()
            connection.close()
        change(0)
        with configuration("""
discovery.kubernetes "p" {
	role       = "pod"
	api_server = "http://127.0.0.1:%d"
}
""" % api) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.kubernetes.p", node="") as targets:
                self.measure(targets, change)


class FileTest(unittest.TestCase):
    """discovery.file."""

    def test_file(self):
        """A file that is renamed into place is seen within a second; many changes make few messages."""
        folder = tempfile.mkdtemp(prefix="stoker-file-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        with configuration("""
discovery.file "f" {
	files = ["%(folder)s/*.json", "%(folder)s/*.yaml"]
}
""" % {"folder": folder}) as pipeline:
            def write(name, text):
                with open(f"{folder}/next", "w", encoding="utf-8") as file:
                    file.write(text)
                os.rename(f"{folder}/next", f"{folder}/{name}")
            write("a.json", '[{"targets": ["a:1"]}]')
            pipeline.start()
            with TargetList(pipeline, "discovery.file.f") as targets:
                targets.wait("the first", lambda now: addresses(now) == ["a:1"])
                begin = time.monotonic()
                write("b.yaml", "- targets: ['b:1']\n  labels: {team: x}\n")
                now, at = targets.wait("the second", lambda now: len(now) == 2)
                print(f"a file was seen {at - begin:.3f} s after it was renamed")
                self.assertLess(at - begin, 1.0)
                self.assertIn({"__address__": "b:1", "team": "x",
                               "__meta_filepath": f"{folder}/b.yaml"}, now)
                before, begin = targets.messages, time.monotonic()
                for i in range(2000):
                    write("a.json", '[{"targets": ["a:%d"]}]' % i)
                targets.wait("the last", lambda now: "a:1999" in addresses(now))
                took = time.monotonic() - begin
                print(f"2000 changes in {took:.1f} s made {targets.messages - before} messages")
                self.assertLessEqual(targets.messages - before, 5 * took + 2)
                write("a.json", "[{]")
                wait_for("unhealthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 500)
                component = pipeline.state("discovery")["discovery"]["components"][0]
                self.assertIn(f"{folder}/a.json: not JSON: line 1, column 3", component["error"])
                self.assertEqual(addresses(targets.now()), ["a:1999", "b:1"])


if __name__ == "__main__":
    own_network()
    own_mounts()
    xml_report.main()
