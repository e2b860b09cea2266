#!/bin/sh
# Builds the page and drives it in Chromium against the fake store.
# SCREENSHOTS=DIR keeps pictures.
set -eu
here=$(dirname "$(readlink -f "$0")")
for need in "$here/node_modules/playwright-core" "${CHROMIUM:-/usr/bin/chromium}"; do
  if [ ! -e "$need" ]; then
    echo "$need is missing: run \`make setup\`" >&2
    exit 1
  fi
done
out=${TEST_TMPDIR:-$here/out}/page
"$here/build.sh" "$out"
export PAGE_DIR="$out"
exec "$here/node_test.sh" "$here/testing/browser_test.mjs" "$here/testing/report_test.mjs"
