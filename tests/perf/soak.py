#!/usr/bin/python3
"""Runs the pipeline under tests/perf/load.sh, kills a process every 20 s, and checks at the end that each
process accounts for its samples and that samples still arrive.

usage: soak.py SECONDS --services FOLDER --fixtures FOLDER      (as root)
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))
import pipeline as harness  # noqa: E402

KILL_EVERY_SECONDS = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("--services", required=True)
    parser.add_argument("--fixtures", required=True)
    options = parser.parse_args()
    harness.SERVICES = os.path.abspath(options.services)
    harness.STOKER = os.path.join(harness.SERVICES, "cli", "stoker")

    with harness.Pipeline(interval="5s", with_store=True) as pipeline:
        load = subprocess.Popen([os.path.join(HERE, "load.sh"), pipeline.folder + "/load"],
                                start_new_session=True, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            pipeline.start()
            kills = kill_for(pipeline, options.seconds)
            check(pipeline, os.path.abspath(options.fixtures))
        finally:
            os.killpg(load.pid, signal.SIGTERM)
    print(f"soak: {options.seconds:.0f} s, {kills} kills, every process balances")


def kill_for(pipeline, seconds):
    """Kills a random process again and again; how many."""
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() + KILL_EVERY_SECONDS < end:
        time.sleep(KILL_EVERY_SECONDS)
        name = random.choice(harness.PROCESSES)
        os.kill(pipeline.pid(name), signal.SIGKILL)
        harness.wait_for(f"{name} back", lambda n=name: pipeline.is_ready(n), 30)
        kills += 1
    return kills


def check(pipeline, fixtures):
    before = pipeline.store.total("hot")
    subprocess.run([os.path.join(fixtures, "hot"), "5"], check=True, stdout=subprocess.DEVNULL)
    harness.wait_for("samples after the kills",
                     lambda: pipeline.store.total("hot") - before > 4e9, 60)
    for name in harness.PROCESSES[:-1]:
        metric = f"stoker_{name.replace('-', '_')}_conservation_error"
        harness.wait_for(f"{name} balances", lambda n=name, m=metric: pipeline.metric(n, m) == 0, 30)


if __name__ == "__main__":
    main()
