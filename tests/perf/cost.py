#!/usr/bin/python3
"""What the pipeline costs under tests/perf/load.sh: CPU of all its processes and of its BPF programs, and
memory as the sum of PSS.

usage: cost.py [--seconds 600] [--warm-up 60] [--rate 97] --services FOLDER

Runs `stoker run` without a store; profiles go to a receiver in this script that takes and forgets them,
so that its cost is not counted. Needs root. Prints one Markdown table.
"""
import argparse
import glob
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

CONFIG = """
discovery.process "all" {{ }}

discovery.relabel "named" {{
	targets = discovery.process.all.targets

	rule {{
		source_labels = ["__meta_process_exe"]
		regex         = ".*/([^/]+)"
		target_label  = "service_name"
	}}
}}

pyroscope.ebpf "host" {{
	targets      = discovery.relabel.named.output
	forward_to   = [pyroscope.write.sink.receiver]
	targets_only = false
	sample_rate  = {rate}
}}

pyroscope.write "sink" {{
	endpoint {{
		url = "http://127.0.0.1:{port}"
	}}
}}
"""


class Sink(http.server.BaseHTTPRequestHandler):
    """Answers every push with success."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/proto")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def family(pid):
    """A process and everything below it."""
    pids = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            children = open(path, encoding="utf-8").read().split()
        except OSError:
            continue
        for child in children:
            pids += family(int(child))
    return pids


def cpu_seconds(pid):
    """User and system time of a process and its reaped children."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def name_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        arguments = file.read().split(b"\0")
    name = os.path.basename(arguments[0]).decode()
    return "sandbox worker" if b"--sandbox-worker" in arguments or name.endswith("exe") else name


def bpf_seconds():
    """Run time of all BPF programs, in seconds; the kernel counts it while asked to."""
    programs = json.loads(subprocess.run(["bpftool", "-j", "prog", "show"], check=True,
                                         capture_output=True).stdout)
    return sum(p.get("run_time_ns", 0) for p in programs) / 1e9


def measure(supervisor, seconds):
    """({process: CPU seconds}, {process: mean PSS}, BPF seconds) over `seconds`."""
    def snapshot():
        return {pid: (name_of(pid), cpu_seconds(pid)) for pid in family(supervisor)}
    before, bpf_before = snapshot(), bpf_seconds()
    memory, rounds = {}, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(5, seconds))
        rounds += 1
        for pid in family(supervisor):
            try:
                name = name_of(pid)
                memory[name] = memory.get(name, 0) + pss_bytes(pid)
            except OSError:
                continue
    cpu = {}
    for pid, (name, used) in snapshot().items():
        cpu[name] = cpu.get(name, 0) + used - before.get(pid, (name, 0))[1]
    return cpu, {name: total / rounds for name, total in memory.items()}, bpf_seconds() - bpf_before


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--warm-up", type=float, default=60)
    parser.add_argument("--rate", type=int, default=97)
    parser.add_argument("--services", required=True)
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="stoker-cost-", dir="/tmp")
    os.chmod(folder, 0o755)
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    config = os.path.join(folder, "cost.alloy")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(port=sink.server_address[1], rate=options.rate))
    load = subprocess.Popen([os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.sh"),
                             folder + "/load"], start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=1"], check=True)
    stoker = subprocess.Popen(
        [os.path.join(options.services, "cli/stoker"), "run", f"--run-dir={folder}/run",
         f"--data-dir={folder}/data", "--http.listen=127.0.0.1:0", config],
        stderr=open(folder + "/log", "wb"))
    try:
        time.sleep(options.warm_up)
        cpu, memory, bpf = measure(stoker.pid, options.seconds)
        report(options, cpu, memory, bpf)
    finally:
        subprocess.run(["sysctl", "-qw", "kernel.bpf_stats_enabled=0"], check=False)
        stoker.send_signal(signal.SIGINT)
        stoker.wait(60)
        os.killpg(load.pid, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def report(options, cpu, memory, bpf):
    print(f"| process | CPU, % of one core | PSS, MB |\n|---|---|---|")
    for name in sorted(memory):
        print(f"| {name} | {100 * cpu.get(name, 0) / options.seconds:.2f} | {memory[name] / 1e6:.1f} |")
    print(f"| BPF programs | {100 * bpf / options.seconds:.2f} | – |")
    total = sum(cpu.values()) + bpf
    print(f"| **all** | **{100 * total / options.seconds:.2f}** | **{sum(memory.values()) / 1e6:.1f}** |")


if __name__ == "__main__":
    main()
