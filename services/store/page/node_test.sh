#!/bin/sh
# Runs tests under node's own test runner, with a line for each on standard output and, where Bazel
# asks for it, a test.xml.
#   node_test.sh FILE...
set -eu
here=$(dirname "$(readlink -f "$0")")
set -- --test-reporter=spec --test-reporter-destination=stdout "$@"
if [ -n "${XML_OUTPUT_FILE:-}" ]; then
  set -- --test-reporter="$here/testing/xml_reporter.mjs" \
    --test-reporter-destination="$XML_OUTPUT_FILE" "$@"
fi
exec node --test "$@"
