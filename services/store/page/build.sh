#!/bin/sh
# Builds the page into a folder, for development and for the browser tests. Bazel runs the same
# esbuild command, see BUILD.bazel.
#   build.sh OUT
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$1
mkdir -p "$out/assets"
esbuild=$(ls -d "$here"/node_modules/@esbuild/linux-*)/bin/esbuild
"$here/esbuild.sh" "$esbuild" "$here/src/main.ts" "$out/assets/page.js"
"$here/esbuild.sh" "$esbuild" "$here/src/report_main.ts" "$out/report.js" iife
python3 "$here/inline.py" "$out/report.html" "$here/src/report.html" "$out/report.js" \
  "$here/src/page.css" "$here/src/icon.svg"
cp "$here/src/page.css" "$here/src/icon.svg" "$out/assets/"
cp "$here/src/index.html" "$out/"
