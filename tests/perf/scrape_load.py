#!/usr/bin/python3
"""What a scraper costs: CPU, memory and lateness with many targets of five profile types.

    tests/perf/scrape_load.py BINARIES TARGETS SECONDS

BINARIES is a folder with the binaries of a build. As root: it runs in a network of its own. Go must be
installed. The forwarder drops what it gets into an endpoint that takes everything.
"""
import gzip
import http.client
import http.server
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from pipeline import UnixConnection, own_network, wait_for  # noqa: E402


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def profile(round_):
    """A profile of 20 KB like Go's allocs: values that only grow, one sample of four in each round."""
    strings, samples, locations, functions = [b""], b"", b"", b""

    def string(text):
        strings.append(text.encode())
        return len(strings) - 1
    types = b"".join(message(1, number(1, string(t)) + number(2, string(u)))
                     for t, u in (("alloc_objects", "count"), ("alloc_space", "bytes"),
                                  ("inuse_objects", "count"), ("inuse_space", "bytes")))
    for i in range(1, 151):
        functions += message(5, number(1, i) + number(2, string(f"example.com/shop/cart.(*Service).Method{i}"))
                             + number(4, 1))
        locations += message(4, number(1, i) + number(3, 0x400000 + 64 * i)
                             + message(4, number(1, i) + number(2, 7)))
    for i in range(230):
        grown = round_ * 1000 if i % 4 == 0 else 0
        stack = b"".join(varint(1 + (i * 7 + depth * depth) % 150) for depth in range(24))
        values = b"".join(varint(v) for v in (10 + i + grown, 4096 * (1 + i + grown), 3, 4096))
        samples += message(2, message(1, stack) + message(2, values))
    return types + samples + locations + functions + b"".join(message(6, s) for s in strings) + \
        number(9, (1_700_000_000 + 15 * round_) * 10**9)


class Sink(http.server.BaseHTTPRequestHandler):
    """An endpoint that takes everything."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def get(run_dir, process, path):
    connection = UnixConnection(f"{run_dir}/{process}.http.sock")
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def metric(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if re.match(name + r"[ {]", line))


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, name):
    return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status")
                if line.startswith(name))


def pid_of(parent, name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            argument = open(f"/proc/{pid}/cmdline").read().split("\0")[0]
        except OSError:
            continue
        if int(stat[1]) == parent and os.path.basename(argument) == name:
            return int(pid)
    return 0


def main():
    binaries, targets, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    own_network()
    os.environ.setdefault("GO111MODULE", "off")
    folder = tempfile.mkdtemp(prefix="stoker-load-", dir="/tmp")
    os.chmod(folder, 0o755)
    for i in range(60):
        body = profile(i)
        with open(f"{folder}/{i:02}.pb.gz", "wb") as file:
            file.write(gzip.compress(body, 1))
    print(f"bodies: {len(body)} bytes inflated")
    subprocess.run(["go", "build", "-o", f"{folder}/load", f"{HERE}/scrape_load.go"], check=True)
    server = subprocess.Popen([f"{folder}/load", folder], stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    addresses = "".join(f'\t\t{{"__address__" = "127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}:{port}", '
                        '"service_name" = "load"},\n' for i in range(targets))
    with open(f"{folder}/load.alloy", "w", encoding="utf-8") as file:
        file.write(f'pyroscope.scrape "load" {{\n\ttargets = [\n{addresses}\t]\n'
                   '\tforward_to = [pyroscope.write.sink.receiver]\n}\n'
                   'pyroscope.write "sink" {\n\tendpoint {\n'
                   f'\t\turl = "http://127.0.0.1:{sink.server_address[1]}"\n\t}}\n}}\n')
    run_dir = f"{folder}/run"
    with open(f"{folder}/log", "wb") as log:
        stoker = subprocess.Popen([f"{binaries}/stoker", "run", f"--run-dir={run_dir}",
                                   f"--data-dir={folder}/data", f"--bin-dir={binaries}",
                                   "--node-name=load", f"{folder}/load.alloy"], stdout=log, stderr=log)
    try:
        wait_for("jobs", lambda: metric(get(run_dir, "scraper", "/metrics"), "stoker_scraper_jobs")
                 == 5 * targets, 120)
        # Every job once, and the differences primed.
        time.sleep(45)
        pid = pid_of(stoker.pid, "stoker-scraper")
        before, cpu, begin = get(run_dir, "scraper", "/metrics"), cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        after, elapsed = get(run_dir, "scraper", "/metrics"), time.monotonic() - begin
        spent = cpu_seconds(pid) - cpu
        for name in ("stoker_scraper_scrapes_total", "stoker_scraper_skipped_scrapes_total",
                     "stoker_scraper_out", "stoker_scraper_dropped"):
            print(f"{name}: {(metric(after, name) - metric(before, name)) / elapsed:.1f}/s")
        print("results:", re.findall(r'scrapes_total\{.*result="(\w+)"\} (\S+)', after))
        print(f"CPU: {spent / elapsed:.2f} cores; resident {memory(pid, 'VmRSS'):.0f} MiB, "
              f"highest {memory(pid, 'VmHWM'):.0f} MiB")
        print(f"differences: {metric(after, 'stoker_scraper_difference_samples'):.0f} samples, "
              f"{metric(after, 'stoker_scraper_difference_bytes') / 2**20:.0f} MiB")
        count = metric(after, "stoker_scraper_lateness_seconds_count") - \
            metric(before, "stoker_scraper_lateness_seconds_count")
        for bound in re.findall(r'lateness_seconds_bucket\{.*le="(\S+)"\}', after):
            name = r'stoker_scraper_lateness_seconds_bucket\{.*le="' + re.escape(bound) + r'"\}'
            within = [sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                          if re.match(name, line)) for text in (before, after)]
            print(f"begun within {bound} s: {100 * (within[1] - within[0]) / max(count, 1):.2f} %")
    finally:
        stoker.send_signal(signal.SIGTERM)
        stoker.wait(60)
        server.kill()
        server.wait()
        print("log:", f"{folder}/log")


if __name__ == "__main__":
    main()
