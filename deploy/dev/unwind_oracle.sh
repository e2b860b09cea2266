#!/usr/bin/env bash
# Compares unwind tables of this machine's own programs and libraries with libdw's reading of their
# call frame information: unwind_oracle.sh [COUNT]. COUNT files (300), spread evenly over all there
# are; 0 for all. Prints a line for each, then sums; fails below 99.99 %.
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-300}

bazel build //services/collector/ebpf/unwind:unwind_oracle
is_elf() { [ "$(head -c4 "$1" | tr -d '\0')" = $'\x7fELF' ]; }
mapfile -t files < <(
  find /usr/bin /usr/sbin /usr/lib/x86_64-linux-gnu /usr/lib/git-core /usr/libexec -type f \
    \( -perm -u+x -o -name '*.so*' \) -printf '%i %p\n' 2>/dev/null |
    sort -k2 | awk '!seen[$1]++ { sub(/^[0-9]+ /, ""); print }' |
    while read -r file; do if is_elf "$file"; then echo "$file"; fi; done
)
step=1
if ((count > 0 && ${#files[@]} > count)); then step=$((${#files[@]} / count)); fi
for ((i = 0; i < ${#files[@]}; i += step)); do
  if ((count > 0 && i >= count * step)); then break; fi
  echo "${files[i]}"
done | out/bin/services/collector/ebpf/unwind/unwind_oracle
