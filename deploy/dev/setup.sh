#!/usr/bin/env bash
# Installs what building, testing and running Stoker need and this machine lacks. Repeatable; quick
# when nothing is missing.
#
#   deploy/dev/setup.sh         to build and run: Debian's packages and npm
#   deploy/dev/setup.sh java    and async-profiler, for pyroscope.java; build again after it
#   deploy/dev/setup.sh test    and what the tests need; what Maven does not give is said, not fatal
#   deploy/dev/setup.sh lint    and what `make lint` and `make fuzz` need
set -euo pipefail
cd "$(dirname "$0")/../.."

build_packages=(
  bazel-bootstrap build-essential pkg-config python3 git ca-certificates
  protobuf-compiler protobuf-compiler-grpc libgrpc++-dev libprotobuf-dev libprotozero-dev
  clang-19 bpftool libbpf-dev libdw-dev libelf-dev zlib1g-dev
  libabsl-dev libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libyaml-cpp-dev
  prometheus-cpp-dev libsqlite3-dev libre2-dev
  libzstd-dev liblzma-dev libdeflate-dev libxxhash-dev libssl-dev libcurl4-openssl-dev
  libboost-dev libnghttp2-dev libiberty-dev libcap-dev libseccomp-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=(
  golang-go rustc chromium gdb debuginfod elfutils dwz llvm-19 libc6-dbg
  docker.io iptables busybox-static openssl libgoogle-perftools-dev
)
lint_packages=(clang-format-19 clang-tidy-19 libclang-rt-19-dev llvm-19)

say() { printf '\033[1m%s\033[0m\n' "setup: $*" >&2; }

# Packages of the list that are not installed, one a line.
missing() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || echo "$package"
  done
}

install_packages() {
  local wanted
  mapfile -t wanted < <(missing "$@")
  [ "${#wanted[@]}" -eq 0 ] && return
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "needs root, or sudo, to install: ${wanted[*]}"; exit 1; }
    sudo=(sudo)
  fi
  say "installing ${#wanted[@]} Debian packages: ${wanted[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
    "${wanted[@]}" >/dev/null
}

# The page is built with esbuild, which comes from npm.
install_page() {
  local page=services/store/page
  [ -f "$page/package-lock.json" ] || return 0
  cmp -s "$page/package-lock.json" "$page/node_modules/.installed-lock.json" && return
  command -v npm >/dev/null || install_packages nodejs npm
  say "installing the page's npm packages"
  npm ci --prefix "$page" --no-audit --no-fund --loglevel=error
  cp "$page/package-lock.json" "$page/node_modules/.installed-lock.json"
}

# async-profiler comes from Maven by its name; WORKSPACE finds it in the cache. Fails with a sentence.
install_async_profiler() {
  # As in bazel/async_profiler.bzl. The sum is of what the tests have run with.
  local version=4.5 sum=d0184907de67ca63363f1a6333c75eb7414fb3e13c564641304fe0fdca97363e
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/stoker/async-profiler-$version"
  local jar="async-profiler-$version.jar" scratch
  [ -f "$folder/linux-x64/libasyncProfiler.so" ] && return
  command -v mvn >/dev/null || install_packages maven default-jdk-headless
  say "getting async-profiler $version from Maven"
  scratch="$(mktemp -d)"
  if ! mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.7.0:copy \
    -Dartifact="tools.profiler:async-profiler:$version" -DoutputDirectory="$scratch"; then
    say "Maven does not give async-profiler: without it pyroscope.java needs its argument dist"
    rm -r "$scratch"
    return 1
  fi
  if ! echo "$sum  $scratch/$jar" | sha256sum --check --quiet; then
    say "async-profiler $version is not the one that was pinned: left out"
    rm -r "$scratch"
    return 1
  fi
  mkdir -p "$folder"
  python3 -m zipfile -e "$scratch/$jar" "$scratch/all"
  cp -r "$scratch/all/linux-x64" "$scratch/all/linux-arm64" "$folder"
  rm -r "$scratch"
}

# A JDK for the fixtures; the tests take every one that they find.
install_jdk() {
  command -v javac >/dev/null || install_packages openjdk-17-jdk-headless
}

# A CPython that no Debian package has yet, without symbols and with the interpreter in the executable:
# a Go module carries it, its files packed one by one.
install_python() {
  local module=github.com/kluctl/go-embed-python version=v0.0.0-3.14.6-20260610-1
  local sum=h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4=
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/stoker/python-3.14.6" scratch
  [ -x "$folder/bin/python3" ] && return
  say "getting CPython 3.14 as a Go module"
  scratch="$(mktemp -d)"
  if ! (cd "$scratch" && PATH=/usr/local/go/bin:/usr/lib/go/bin:$PATH &&
    go mod init scratch 2>/dev/null && go mod download -json "$module@$version" >module.json &&
    grep -qF "\"$sum\"" module.json); then
    say "Go does not give CPython 3.14: its tests will be skipped"
    rm -r "$scratch"
    return
  fi
  rm -rf "$folder"
  python3 - "$scratch/module.json" "$folder" <<'PYTHON'
import gzip, json, os, sys
data = json.load(open(sys.argv[1]))["Dir"] + "/python/internal/data/linux-amd64"
for entry in json.load(open(data + "/files.json"))["files"]:
    path, source = os.path.join(sys.argv[2], entry["name"]), os.path.join(data, entry["name"])
    if "symlink" in entry:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(entry["symlink"], path)
    elif os.path.isfile(source + ".gz") or os.path.isfile(source):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        packed = gzip.open(source + ".gz") if os.path.isfile(source + ".gz") else open(source, "rb")
        with packed, open(path, "wb") as file:
            file.write(packed.read())
        os.chmod(path, entry["perm"] & 0o777 | 0o600)
PYTHON
  rm -r "$scratch"
}

# What stacks of Python are compared with.
install_py_spy() {
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/stoker/py-spy"
  [ -x "$folder/bin/py-spy" ] && return
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
  say "installing py-spy"
  { python3 -m venv "$folder" && "$folder/bin/pip" install -q py-spy==0.4.3; } ||
    say "pip does not give py-spy: the test that needs it will be skipped"
}

# The modules of Go programs that tests scrape, at the versions of go.sum.
fetch_go_modules() {
  (cd tests/fixtures/programs/go && PATH=/usr/local/go/bin:/usr/lib/go/bin:$PATH go mod download) ||
    say "cannot fetch Go modules: the tests that need them will be skipped"
}

[ -r /etc/debian_version ] || { say "this is not Debian: install by hand: ${build_packages[*]}"; exit 1; }
install_packages "${build_packages[@]}"
for part in "$@"; do
  case "$part" in
    test)
      wanted=()
      for package in "${test_packages[@]}"; do
        # A Go or Rust of the machine's own will do.
        [ "$package" = golang-go ] && command -v go >/dev/null && continue
        [ "$package" = rustc ] && command -v rustc >/dev/null && continue
        wanted+=("$package")
      done
      install_packages "${wanted[@]}"
      fetch_go_modules
      install_python
      install_py_spy
      install_jdk
      install_async_profiler || true
      ;;
    java) install_async_profiler ;;
    lint) install_packages "${lint_packages[@]}" ;;
    *) say "unknown part: $part"; exit 2 ;;
  esac
done
install_page
