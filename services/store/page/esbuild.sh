#!/bin/sh
# Bundles one TypeScript file with what it imports, as a module or, for a script that stands in its
# page, as a function that runs at once.
#   esbuild.sh ESBUILD ENTRY OUT [esm|iife]
set -eu
exec "$1" "$2" --bundle --minify --format="${4:-esm}" --target=es2020 --charset=utf8 \
  --log-level=warning --outfile="$3"
