#!/bin/sh
# Bundles one TypeScript file with what it imports.
#   esbuild.sh ESBUILD ENTRY OUT
set -eu
exec "$1" "$2" --bundle --minify --format=esm --target=es2020 --charset=utf8 \
  --log-level=warning --outfile="$3"
