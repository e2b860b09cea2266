#!/bin/sh
# Builds the page into a folder, for development and for the browser tests. Bazel runs the same
# esbuild command, see BUILD.bazel.
#   build.sh OUT
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$1
mkdir -p "$out/assets"
"$here/esbuild.sh" "$(ls -d "$here"/node_modules/@esbuild/linux-*)/bin/esbuild" \
  "$here/src/main.ts" "$out/assets/page.js"
cp "$here/src/page.css" "$here/src/icon.svg" "$out/assets/"
cp "$here/src/index.html" "$out/"
