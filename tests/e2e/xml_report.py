"""Runs a unittest module and writes the test.xml that Bazel asks for, a case each."""
import os
import sys
import time
import unittest
import xml.etree.ElementTree as ET


class _Result(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.cases = ET.Element("testsuite")

    def startTest(self, test):
        super().startTest(test)
        self._case = ET.SubElement(self.cases, "testcase", name=test.id().split(".")[-1],
                                   classname=type(test).__name__)
        self._start = time.monotonic()

    def stopTest(self, test):
        self._case.set("time", f"{time.monotonic() - self._start:.3f}")
        super().stopTest(test)

    def _mark(self, kind, text):
        ET.SubElement(self._case, kind).text = text

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._mark("failure", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        # A class that could not be set up has no case of its own.
        if not hasattr(self, "_case"):
            self._case = ET.SubElement(self.cases, "testcase", name="setup", classname=str(test))
        self._mark("error", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not hasattr(self, "_case"):
            self._case = ET.SubElement(self.cases, "testcase", name="setup", classname=str(test))
        self._mark("skipped", reason)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2,
                            testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2))
    path = os.environ.get("XML_OUTPUT_FILE")
    if path:
        ET.ElementTree(program.result.cases).write(path, encoding="utf-8")
    sys.exit(0 if program.result.wasSuccessful() else 1)
