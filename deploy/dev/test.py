#!/usr/bin/env python3
"""`bazel test`, ended by one plain line of test-case counts.

usage: deploy/dev/test.py [bazel test arguments] [targets; //... when none]

The counts are of test cases (googletest's, from each test.xml), cached results included. A target
that was not built, timed out or crashed counts as one failure. The exit status is bazel's.
"""
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree as ET


def count_cases(path):
    """(passed, names of failed, names of skipped) of one test.xml."""
    passed, failed, skipped = 0, [], []
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.get("result") in ("skipped", "suppressed") or case.find("skipped") is not None:
            skipped.append(name)
        else:
            passed += 1
    return passed, failed, skipped


class Run:
    """What the build events of one `bazel test` say."""

    def __init__(self, events):
        self.results = {}
        self.summaries = {}
        self.unbuilt = set()
        for event in events:
            self._add(event)

    def _add(self, event):
        if "testResult" in event:
            ident = event["id"]["testResult"]
            result = event["testResult"]
            xml = next(
                (urllib.parse.unquote(o["uri"][len("file://"):])
                 for o in result.get("testActionOutput", [])
                 if o["name"] == "test.xml" and o.get("uri", "").startswith("file://")), None)
            # The last attempt of a shard of a run is the one that counts.
            key = (ident["label"], ident.get("run"), ident.get("shard"))
            self.results[key] = (result.get("status"), xml)
        elif "testSummary" in event:
            label = event["id"]["testSummary"]["label"]
            self.summaries[label] = event["testSummary"].get("overallStatus", "NO_STATUS")
        for kind in ("targetCompleted", "targetConfigured"):
            if kind in event["id"]:
                done = event.get("completed", {"success": True}).get("success")
                if "aborted" in event or not done:
                    self.unbuilt.add(event["id"][kind]["label"])

    def counts(self):
        """(passed, names of failed, names of skipped) over all targets."""
        passed, failed, skipped = 0, [], []
        for (label, _, _), (status, xml) in sorted(self.results.items(), key=str):
            good, bad, left = 0, [], []
            if xml and os.path.exists(xml):
                try:
                    good, bad, left = count_cases(xml)
                except ET.ParseError:
                    pass
            if status not in ("PASSED", "FLAKY") and not bad:
                bad = [status]
            passed += good
            failed += [f"{label} {name}" for name in bad]
            skipped += [f"{label} {name}" for name in left]
        reported = {label for label, _, _ in self.results}
        for label, status in sorted(self.summaries.items()):
            if label not in reported:
                failed.append(f"{label} {status}")
        for label in sorted(self.unbuilt - reported - set(self.summaries)):
            failed.append(f"{label} was not built")
        return passed, failed, skipped


def main():
    args = sys.argv[1:]
    if not any(a.startswith(("//", ":", "@")) for a in args):
        args.append("//...")
    with tempfile.TemporaryDirectory() as tmp:
        log = os.path.join(tmp, "events.json")
        status = subprocess.call([
            "bazel", "test", "--keep_going", "--noshow_progress", "--show_result=0",
            f"--build_event_json_file={log}", *args])
        events = []
        if os.path.exists(log):
            with open(log, encoding="utf-8") as lines:
                events = [json.loads(line) for line in lines]
        passed, failed, skipped = Run(events).counts()
    if status and not failed:
        failed.append(f"bazel test ended with status {status}")
    for name in skipped:
        print("SKIPPED:", name)
    for name in failed:
        print("FAILED:", name)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return status


sys.exit(main())
