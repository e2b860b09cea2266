#!/bin/sh
# Drives the page of a real store, and the report, in Chromium.
#   browser_test.sh STORE REPORT.html
# SCREENSHOTS=DIR keeps pictures.
set -eu
here=$(dirname "$(readlink -f "$0")")
for need in "$here/node_modules/playwright-core" "${CHROMIUM:-/usr/bin/chromium}"; do
  if [ ! -e "$need" ]; then
    echo "$need is missing: run \`make setup\`" >&2
    exit 1
  fi
done
STORE=$(readlink -f "$1")
REPORT=$(readlink -f "$2")
export STORE REPORT
exec "$here/node_test.sh" "$here/testing/browser_test.mjs" "$here/testing/report_test.mjs"
