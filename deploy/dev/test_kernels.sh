#!/usr/bin/env bash
# Runs the tests of //tests/bpf that need a kernel on Debian's kernels of other releases, each in a
# virtual machine: test_kernels.sh [RELEASE...], such as `test_kernels.sh bookworm`. In software, or with
# STOKER_KVM=1 by /dev/kvm. Kernels are Debian's packages, kept in
# ~/.cache/stoker-kernels; nothing is installed but qemu.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Debian's release and the kernel series it brings. Linux before 5.15 is refused in one sentence.
declare -A suites=(
  [bullseye]="5.10" [bookworm]="6.1" [bookworm-backports]="6.12"
)
refusal="needs Linux 5.15 or later; this kernel is 5.10"
releases=("$@")
[ "${#releases[@]}" -gt 0 ] || releases=(bullseye bookworm bookworm-backports)
tests=(sampler_test)
# Timers of a virtual machine are late: what is measured against time is left out.
filter=Sampler.StacksAreWhole:Sampler.TakesNothingOnceStopped
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stoker-kernels

install_packages() {
  local missing=()
  command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
  command -v busybox >/dev/null || missing+=(busybox-static)
  command -v cpio >/dev/null || missing+=(cpio)
  [ "${#missing[@]}" -eq 0 ] && return
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Takes the kernel's package out of a release, apart from what the machine has installed; prints the
# kernel's path.
kernel_of() {
  local release=$1 apt="$cache/apt-$1" image package mirror
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  image=$(find "$cache/$release" -name 'vmlinuz-*' -print -quit 2>/dev/null || true)
  if [ -z "$image" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CREATED_BY)' | awk '$2 == "Packages" {print $1; exit}')
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" \
      >"$apt/sources.list"
    local options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o Dir::Etc::SourceParts=-
      -o "Dir::Etc::SourceList=$apt/sources.list" -o APT::Sandbox::User=root -o "Dir::State::status=/dev/null")
    apt-get "${options[@]}" update >&2
    package=$(apt-cache "${options[@]}" depends linux-image-amd64 |
      awk '/Depends: linux-image/ {print $2; exit}')
    (cd "$apt" && apt-get "${options[@]}" download "$package" >&2)
    dpkg-deb --extract "$apt/${package}"_*.deb "$cache/$release"
    rm -f "$apt/${package}"_*.deb
    # Modules are not needed: what the tests use is built in.
    rm -rf "${cache:?}/$release/lib" "${cache:?}/$release/usr"
    image=$(find "$cache/$release" -name 'vmlinuz-*' -print -quit)
  fi
  echo "$image"
}

# A root file system in memory: a shell, the tests, and the libraries they are linked with.
make_root() {
  local root=$1 binary
  mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc,tests}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for name in "${tests[@]}"; do
    cp -rL "out/bin/tests/bpf/$name.runfiles/stoker" "$root/tests/$name"
  done
  while read -r binary; do
    { ldd "$binary" 2>/dev/null || true; } | awk '/\// {print ($2 == "=>") ? $3 : $1}'
  done < <(find "$root/tests" -type f -perm -u+x) | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  cat >"$root/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin TEST_TMPDIR=/tmp GTEST_FILTER=$filter
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
ip link set lo up 2>/dev/null
echo "kernel \$(uname -r)"
status=0
for test in /tests/*; do
  cd "\$test" && "./tests/bpf/\$(basename "\$test")" || status=1
done
echo "stoker-test-kernels: exit \$status"
poweroff -f
INIT
  chmod +x "$root/init"
}

install_packages
bazel build "${tests[@]/#///tests/bpf:}"
scratch=$(mktemp -d /tmp/stoker-kernels.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
make_root "$scratch/root"
(cd "$scratch/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/root.gz"
# Nested virtualization may hang at the start of an old kernel: only on demand.
accelerator=(-accel tcg)
[ "${STOKER_KVM:-0}" = 1 ] && accelerator=(-accel kvm -cpu host)

passed=0 failed=0
for release in "${releases[@]}"; do
  echo "== Debian $release, Linux ${suites[$release]:-?}"
  image=$(kernel_of "$release")
  log="$scratch/$release.log"
  timeout 900 qemu-system-x86_64 "${accelerator[@]}" -m 2048 -smp 2 -nographic -no-reboot \
    -kernel "$image" -initrd "$scratch/root.gz" -append "console=ttyS0 quiet panic=-1" \
    </dev/null >"$log" 2>&1 || true
  if grep -q 'stoker-test-kernels: exit 0' "$log"; then
    grep -E 'kernel [0-9]|PASSED|SKIPPED' "$log"
    passed=$((passed + 1))
  elif [ "$release" = bullseye ] && grep -q "$refusal" "$log"; then
    echo "refused: $refusal"
    passed=$((passed + 1))
  else
    tail -60 "$log"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
