#!/usr/bin/env bash
# The load under which Stoker's cost is measured: a compile job, a Go server with clients, Python, Rust
# where it is installed, C++ and sleepers. Runs until it is killed; takes its children along.
#
#   load.sh FOLDER    FOLDER: scratch for what it builds
set -euo pipefail
folder=${1:?usage: load.sh FOLDER}
mkdir -p "$folder"
cd "$folder"
trap 'trap - EXIT; kill 0' EXIT INT TERM
export PATH=/usr/local/go/bin:$PATH

cat > unit.cc <<'CC'
#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>
std::map<std::string, std::vector<int>> Sort(std::vector<int> v) {
  std::sort(v.begin(), v.end());
  return {{std::regex_replace("a", std::regex("a"), "b"), v}};
}
CC
cat > server.go <<'GO'
package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256(make([]byte, 1<<16))
		fmt.Fprintf(w, "%x", sum)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, nil)
	for {
		if response, err := http.Get("http://" + listener.Addr().String()); err == nil {
			response.Body.Close()
		}
		time.Sleep(2 * time.Millisecond)
	}
}
GO
cat > burn.cc <<'CC'
#include <cmath>
#include <ctime>
#include <map>
#include <string>
int main() {
  std::map<std::string, double> map;
  for (unsigned i = 0;; ++i) {
    map[std::to_string(i % 5000)] += std::sqrt(i);
    if (i % 20000 == 0) {
      const timespec pause{0, 20'000'000};
      nanosleep(&pause, nullptr);
    }
  }
}
CC
cat > burn.py <<'PY'
import json
import time
data = {str(i): list(range(20)) for i in range(200)}
while True:
    json.loads(json.dumps(data))
    time.sleep(0.01)
PY
cat > burn.rs <<'RS'
use std::collections::BTreeMap;
fn main() {
    let mut map = BTreeMap::new();
    for i in 0u64.. {
        *map.entry(i.wrapping_mul(2654435761) % 5000).or_insert(0u64) += i;
        if i % 50000 == 0 { std::thread::sleep(std::time::Duration::from_millis(10)); }
    }
}
RS

g++ -O2 -o burn burn.cc
./burn &
python3 burn.py &
if command -v go >/dev/null; then
  HOME=$folder GO111MODULE=off go build -o server server.go
  ./server &
fi
if command -v rustc >/dev/null; then
  rustc -O -o burn-rs burn.rs
  ./burn-rs &
fi
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep infinity & done
while true; do
  g++ -O2 -c -o unit.o unit.cc
done
