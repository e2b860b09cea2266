#!/bin/sh
# Checks the types, then runs every *.test.ts under node's own test runner.
set -eu
here=$(dirname "$(readlink -f "$0")")
if [ ! -d "$here/node_modules/typescript" ]; then
  echo "node_modules is missing: run \`make setup\`, or \`npm ci --prefix $here\`" >&2
  exit 1
fi
out=${TEST_TMPDIR:-$here/out}/unit
rm -rf "$out"
mkdir -p "$out"
node "$here/node_modules/typescript/bin/tsc" --project "$here" --noEmit
(cd "$here" && node node_modules/prettier/bin/prettier.cjs --log-level=warn --check src testing "*.mjs")
"$(ls -d "$here"/node_modules/@esbuild/linux-*)/bin/esbuild" "$here"/src/*/*.test.ts \
  --bundle --platform=node --format=esm --target=node18 --log-level=warning \
  --entry-names=[name] --out-extension:.js=.mjs --outdir="$out"
exec "$here/node_test.sh" "$out"/*.mjs
