// Profiles of an invented host: enough services, labels and odd frames to show all of the page.

// A frame: name, and optionally file, line, module, build id, inlined.
const f = (name, file = "", line = 0, module = "", inlined = false) => ({
  name,
  file,
  line,
  module,
  buildId: module ? `b1d${module.length}f00dcafe` : "",
  inlined,
});

const libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
const shop = "/opt/shop/bin/checkout";
const main = f("main", "checkout/main.cc", 41, shop);
const start = f("_start", "", 0, shop);
const serve = f("shop::Server::Serve(shop::Options const&)", "checkout/server.cc", 112, shop);
const handle = f("shop::Server::Handle(shop::Request)", "checkout/server.cc", 160, shop);
const price = f("shop::pricing::Quote(std::vector<shop::Item>)", "checkout/pricing.cc", 73, shop);
const hash = f("std::__detail::_Hash_code_base::_M_hash_code", "hashtable.h", 1320, shop, true);
const parse = f("shop::json::Parse(std::string_view)", "checkout/json.cc", 12, shop);
const value = f("shop::json::ParseValue(shop::json::Cursor&)", "checkout/json.cc", 88, shop);
const copy = f("__memmove_avx_unaligned_erms", "memmove.S", 340, libc);
const malloc = f("malloc", "malloc.c", 3294, libc);
const zlib = f("[libz.so.1.2.13]", "", 0, "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13");
const cut = f("[unwind: no rule]");
const anon = f("[unknown]");
const syscall = f("entry_SYSCALL_64_after_hwframe", "", 0, "[kernel]");
const write = f("ksys_write", "", 0, "[kernel]");
const tcp = f("tcp_sendmsg", "", 0, "[kernel]");

const go = "/usr/local/bin/cart";
const g = (name, file, line, inlined) => f(name, file, line, go, inlined);
const goexit = g("runtime.goexit.abi0", "runtime/asm_amd64.s", 1700);
const http = g("net/http.(*conn).serve", "net/http/server.go", 2092);
const cart = g("example.com/shop/cart.(*Store).Checkout", "cart/store.go", 204);
const decode = g("encoding/json.(*decodeState).object", "encoding/json/decode.go", 755);
const mapassign = g("runtime.mapassign_faststr", "runtime/map_faststr.go", 203);
const gc = g("runtime.gcBgMarkWorker", "runtime/mgc.go", 1500);
const scan = g("runtime.scanobject", "runtime/mgcmark.go", 1446);

const py = (name, line) => f(name, "/srv/rank/rank.py", line, "");

const base = {
  checkout: [
    [[start, main, serve, handle, price, hash], 310],
    [[start, main, serve, handle, price], 120],
    [[start, main, serve, handle, price, copy], 84],
    [[start, main, serve, handle, parse, value, value, value, malloc], 62],
    [[start, main, serve, handle, parse, value, value], 90],
    [[start, main, serve, handle, parse, value, hash], 41],
    [[start, main, serve, handle, zlib], 77],
    [[start, main, serve, handle, syscall, write, tcp], 95],
    [[cut, zlib], 28],
    [[anon], 12],
  ],
  cart: [
    [[goexit, http, cart, decode, decode, mapassign], 130],
    [[goexit, http, cart, decode], 90],
    [[goexit, http, cart, mapassign], 47],
    [[goexit, gc, scan], 85],
    [[goexit, http, syscall, write], 30],
  ],
  ranking: [
    [[py("<module>", 3), py("rank", 20), py("score", 44)], 190],
    [[py("<module>", 3), py("rank", 20), py("sort_key", 60)], 71],
  ],
};

// Further services in the manner of a host under `stoker lab`.
const others = [
  "containerd",
  "dockerd",
  "kubelet",
  "node-exporter",
  "postgres",
  "redis",
  "systemd",
];
for (const [i, name] of others.entries()) {
  const exe = `/usr/bin/${name}`;
  base[name] = [
    [
      [f("_start", "", 0, exe), f("main", "", 0, exe), f(`${name}_loop`, "loop.c", 10 + i, exe)],
      40 - i * 4,
    ],
    [[f("_start", "", 0, exe), f("main", "", 0, exe), syscall, write], 12],
  ];
}

export const CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
export const ALLOC = "memory:alloc_space:bytes:space:bytes";
export const OFF_CPU = "off_cpu:off_cpu:nanoseconds::";

// Label sets with their stacks. Each profile holds `weight` times the stacks every 15 s.
export const series = Object.entries(base).flatMap(([service_name, stacks]) =>
  ["a", "b"].map((suffix, i) => ({
    labels: {
      service_name,
      pod: `${service_name}-${suffix}`,
      env: i === 0 ? "production" : "staging",
      node: `node-${1 + (service_name.length % 3)}`,
    },
    types: service_name === "cart" ? [CPU, ALLOC] : [CPU, OFF_CPU],
    stacks,
    weight: i === 0 ? 3 : 1,
  })),
);

// A deterministic wave, so that timelines and ranges differ; `time` in milliseconds.
export function level(serviceName, time) {
  const phase = serviceName.length * 0.7;
  const minute = time / 60_000;
  return 1 + 0.45 * Math.sin(minute / 3 + phase) + 0.25 * Math.sin(minute * 1.7 + phase * 3);
}

// In the older part of any range `checkout` hashes less and copies more: something for a diff.
export function shift(stack, time, now) {
  const old = now - time > 7.5 * 60_000;
  const leaf = stack[stack.length - 1].name;
  if (old && leaf === hash.name) return 0.4;
  if (old && leaf === copy.name) return 2.2;
  if (old && leaf === zlib.name) return 0;
  return 1;
}

// A tree of about `nodes` nodes, for measuring.
export function bigSeries(nodes) {
  const stacks = [];
  let random = 12345;
  const next = (n) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % n;
  };
  for (let made = 0; made < nodes; ) {
    const depth = 12 + next(30);
    const stack = [];
    for (let d = 0; d < depth; d++) {
      stack.push(f(`ns${next(9)}::Class${d}::method${next(d < 6 ? 2 : 9)}(int, char const*)`));
    }
    stacks.push([stack, 1 + next(20)]);
    made += Math.max(depth - 7, 1);
  }
  return [{ labels: { service_name: "big" }, types: [CPU], stacks, weight: 1 }];
}
