#!/usr/bin/env bash
# Holds discovery.kubernetes, and the double of an API server that its other tests use, against a real
# kube-apiserver: test_kubernetes.sh [VERSION], such as `test_kubernetes.sh v1.31.4`. etcd is Debian's
# package; kube-apiserver is built from its Go modules, which takes ten minutes or so of one processor the
# first time, and is kept in ~/.cache/stoker-kubernetes, where `make test` finds it too.
set -euo pipefail
cd "$(dirname "$0")/../.."

# With it the tests have run: it is content with etcd 3.4.
version=${1:-v1.31.4}
folder="${XDG_CACHE_HOME:-$HOME/.cache}/stoker-kubernetes/$version"
export PATH=$PATH:/usr/local/go/bin:/usr/lib/go/bin

install_packages() {
  local missing=()
  command -v etcd >/dev/null || missing+=(etcd-server)
  command -v openssl >/dev/null || missing+=(openssl)
  command -v go >/dev/null || missing+=(golang-go)
  [ "${#missing[@]}" -eq 0 ] && return
  # Nothing of it is to run but the tests' own.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# A module that requires Kubernetes alone, with the versions of its parts, which its own go.mod takes from
# its source tree.
write_module() {
  local kubernetes
  kubernetes=$(go mod download -json "k8s.io/kubernetes@$version" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["GoMod"])')
  {
    echo "module apiserver"
    grep -E '^go [0-9]' "$kubernetes"
    echo "require k8s.io/kubernetes $version"
    sed -nE "s|^\s*(k8s.io/[a-z0-9-]+) => ./staging/.*|replace \1 => \1 v0.${version#v1.}|p" "$kubernetes"
  } >go.mod
}

build_server() {
  local scratch minor=${version#v1.}
  scratch=$(mktemp -d /tmp/stoker-kubernetes-build.XXXXXX)
  trap 'rm -rf "$scratch"' RETURN
  echo "building kube-apiserver $version"
  (
    cd "$scratch"
    export GOFLAGS=-mod=mod CGO_ENABLED=0 GOMAXPROCS=1
    write_module
    local stamp=k8s.io/component-base/version
    nice -n 10 go build -p 1 -trimpath -o kube-apiserver -ldflags "-s -w -X $stamp.gitVersion=$version \
      -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" k8s.io/kubernetes/cmd/kube-apiserver
  )
  mkdir -p "$folder"
  mv "$scratch/kube-apiserver" "$folder/kube-apiserver.new"
  mv "$folder/kube-apiserver.new" "$folder/kube-apiserver"
}

[ "$(id -u)" -eq 0 ] || { echo "test_kubernetes.sh needs root: the tests have a network of their own" >&2; exit 1; }
install_packages
[ -x "$folder/kube-apiserver" ] || build_server
# Without a version the tests take the newest that is there.
arguments=()
[ "$#" -gt 0 ] && arguments+=("--test_env=STOKER_KUBERNETES=$version")
deploy/dev/test.py "${arguments[@]}" //tests/e2e:kubernetes_test
