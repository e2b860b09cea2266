"""What a consumer of discovery is told, as it changes."""
import json
import os
import subprocess
import threading
import time

from pipeline import wait_for

_WATCH = os.path.abspath("tests/e2e/watch_targets")


class TargetList:
    """The targets that a list of a Pipeline's discovery has: each a dictionary of its labels. A list
    is an argument of a consumer, or `targets` of a discovery component; of one node, or with "" of the
    whole cluster."""

    def __init__(self, pipeline, component_id, argument="targets", node="e2e"):
        self._process = subprocess.Popen(
            [_WATCH, os.path.join(pipeline.run_dir, "discovery.sock"), component_id, argument, node],
            stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        self._last = None
        self.messages = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("targets:", json.dumps(self.now(), indent=1))
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            with self._lock:
                self._last = (time.monotonic(), json.loads(line))
                self.messages += 1

    def now(self):
        """The targets, None before the list is whole."""
        with self._lock:
            return self._last and self._last[1]

    def wait(self, what, check, seconds=30):
        """The first list that `check` is true of, and when it came (monotonic)."""
        def reached():
            with self._lock:
                last = self._last
            return last if last is not None and check(last[1]) else None
        at, targets = wait_for(what, reached, seconds)
        return targets, at
