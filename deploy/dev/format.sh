#!/usr/bin/env bash
# Formats the C++ and BPF sources; with --check only says which are not formatted.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -d '' -t files < <(git ls-files -z '*.cc' '*.h' '*.c')
if [ "${1:-}" = --check ]; then
  clang-format-19 --dry-run --Werror "${files[@]}"
else
  clang-format-19 -i "${files[@]}"
fi
