// A store for tests: serves a built page and answers the read API from the fixture, in memory.
//   node testing/fake_store.mjs PAGE_DIR [PORT] [SCENARIO]

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as fixture from "./fixture.mjs";
import { flameGraph, pprof } from "./encode.mjs";

const PERIOD_MS = 15_000;
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const MATCHER = /\s*"?([\w.]+)"?\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*,?/y;

function parseSelector(text) {
  if (!/^\{.*\}$/s.test(text)) throw new Refusal(400, "invalid_argument", `bad selector: ${text}`);
  const inner = text.slice(1, -1);
  const matchers = [];
  for (let at = 0; at < inner.trim().length; at = MATCHER.lastIndex) {
    MATCHER.lastIndex = at;
    const m = MATCHER.exec(inner);
    if (!m) throw new Refusal(400, "invalid_argument", `parse error at ${inner.slice(at)}`);
    matchers.push({ name: m[1], operator: m[2], value: m[3].replace(/\\(.)/g, "$1") });
  }
  return ({ labels }) =>
    matchers.every(({ name, operator, value }) => {
      const have = labels[name] ?? "";
      const hit = operator.endsWith("~") ? new RegExp(`^(?:${value})$`).test(have) : have === value;
      return operator.startsWith("!") ? !hit : hit;
    });
}

// What a scenario changes: which series exist, and from when to when they have data.
function world(scenario, now) {
  const always = { from: 0, until: now };
  const { series } = fixture;
  switch (scenario) {
    case "empty":
      return { series: [], ingested: false, ...always };
    case "stopped":
      return { series, ingested: true, from: 0, until: now - 3 * 3_600_000 };
    case "big":
      return { series: fixture.bigSeries(100_000), ingested: true, ...always };
    default:
      return { series, ingested: true, ...always };
  }
}

function clip(request, { from, until }) {
  return {
    start: Math.max(Number(request.start), from),
    end: Math.min(Number(request.end), until),
  };
}

function timesIn({ start, end }) {
  const times = [];
  for (let t = Math.ceil(start / PERIOD_MS) * PERIOD_MS; t < end; t += PERIOD_MS) times.push(t);
  return times;
}

function valueAt(s, type, time) {
  const scale = type === fixture.ALLOC ? 65536 : 1e9;
  return Math.round(fixture.level(s.labels.service_name, time) * s.weight * scale);
}

function stacksOf(w, request, now) {
  const type = request.profileTypeID;
  const matches = parseSelector(request.labelSelector);
  const times = timesIn(clip(request, w));
  const stacks = [];
  for (const s of w.series.filter((x) => x.types.includes(type) && matches(x))) {
    for (const [frames, share] of s.stacks) {
      let value = 0;
      for (const t of times) value += valueAt(s, type, t) * fixture.shift(frames, t, now);
      value = Math.round((value * share) / 1000);
      if (value > 0) stacks.push([frames, value]);
    }
  }
  return stacks;
}

function selectSeries(w, request) {
  const matches = parseSelector(request.labelSelector);
  const type = request.profileTypeID;
  const step = request.step * 1000;
  const start = Number(request.start);
  const groups = new Map();
  for (const s of w.series.filter((x) => x.types.includes(type) && matches(x))) {
    const labels = (request.groupBy ?? []).map((name) => ({ name, value: s.labels[name] ?? "" }));
    const key = JSON.stringify(labels);
    if (!groups.has(key)) groups.set(key, { labels, sums: new Map() });
    const { sums } = groups.get(key);
    const weight = s.stacks.reduce((sum, [, share]) => sum + share, 0) / 1000;
    // Bars are (t - step, t], and one ends at the start itself.
    const span = { start: start - step + 1, end: Math.min(Number(request.end), w.until) + 1 };
    for (const t of timesIn(span)) {
      const at = start + Math.ceil((t - start) / step) * step;
      if (at > request.end || t < w.from) continue;
      sums.set(at, (sums.get(at) ?? 0) + valueAt(s, type, t) * weight);
    }
  }
  const series = [...groups.values()].map(({ labels, sums }) => ({
    labels,
    points: [...sums].map(([timestamp, value]) => ({ value, timestamp: String(timestamp) })),
  }));
  return { series };
}

function inRange(w, request) {
  return timesIn(clip(request, w)).length > 0 ? w.series : [];
}

function answer(method, request, w, now) {
  const matching = () => {
    const tests = (request.matchers ?? []).map(parseSelector);
    return inRange(w, request).filter((s) => tests.every((t) => t(s)));
  };
  switch (method) {
    case "ProfileTypes": {
      const ids = new Set(inRange(w, request).flatMap((s) => s.types));
      return { profileTypes: [...ids].sort().map((ID) => ({ ID })) };
    }
    case "LabelNames":
      return { names: [...new Set(matching().flatMap((s) => Object.keys(s.labels)))].sort() };
    case "LabelValues":
      return { names: [...new Set(matching().map((s) => s.labels[request.name] ?? ""))].sort() };
    case "Series": {
      const sets = matching().flatMap((s) =>
        s.types.map((type) => ({ ...s.labels, __profile_type__: type })),
      );
      const picked = sets.map((set) =>
        request.labelNames.map((name) => ({ name, value: set[name] ?? "" })),
      );
      const unique = new Map(picked.map((labels) => [JSON.stringify(labels), { labels }]));
      return { labelsSet: [...unique.values()] };
    }
    case "SelectSeries":
      return selectSeries(w, request);
    case "SelectMergeStacktraces":
      return { flamegraph: flameGraph(stacksOf(w, request, now)) };
    case "GetProfileStats":
      if (!w.ingested) return {};
      return {
        dataIngested: true,
        oldestProfileTime: String(now - 86_400_000),
        newestProfileTime: String(w.until),
      };
    default:
      throw new Refusal(501, "unimplemented", `${method} is not implemented`);
  }
}

// The fields of a SelectMergeProfileRequest.
function decodeMergeRequest(bytes) {
  const request = {};
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const names = ["", "profileTypeID", "labelSelector", "start", "end"];
    if (key % 8 === 0) request[names[key >> 3]] = varint();
    else {
      const length = varint();
      request[names[key >> 3]] = bytes.toString("utf8", at, at + length);
      at += length;
    }
  }
  return request;
}

async function callApi(method, request, store, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const now = Date.now();
  const w = world(store.scenario, now);
  if (store.scenario === "broken")
    throw new Refusal(503, "unavailable", "the index is being rebuilt");
  if (request.headers["content-type"] === "application/proto") {
    if (store.scenario === "nopprof") throw new Refusal(501, "unimplemented", "not yet");
    response.writeHead(200, { "Content-Type": "application/proto" });
    response.end(pprof(stacksOf(w, decodeMergeRequest(body), now)));
    return;
  }
  const text = JSON.stringify(answer(method, JSON.parse(body.toString()), w, now));
  response.writeHead(200, { "Content-Type": "application/json", "Content-Encoding": "gzip" });
  response.end(gzipSync(text, { level: 1 }));
}

async function serveFile(root, path, response) {
  const file = normalize(path === "/" ? "/index.html" : path);
  try {
    const bytes = await readFile(join(root, file));
    response.writeHead(200, {
      "Content-Type": TYPES[file.slice(file.lastIndexOf("."))] ?? "text/plain",
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
}

// Serves `root` and the API on a free port of the loopback interface. `store.scenario` may be
// changed while it runs; `store.calls` counts requests by method.
export async function startFakeStore(root, { port = 0, scenario = "usual" } = {}) {
  const store = { scenario, calls: {}, url: "", close: () => server.close() };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://store");
    const api = /^\/querier\.v1\.QuerierService\/(\w+)$/.exec(pathname);
    if (!api) return serveFile(root, pathname, response);
    store.calls[api[1]] = (store.calls[api[1]] ?? 0) + 1;
    try {
      await callApi(api[1], request, store, response);
    } catch (e) {
      const refusal = e instanceof Refusal ? e : new Refusal(500, "internal", String(e));
      response.writeHead(refusal.status, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ code: refusal.code, message: refusal.message }));
    }
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  store.url = `http://127.0.0.1:${server.address().port}`;
  return store;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , root, port, scenario] = process.argv;
  const store = await startFakeStore(root, { port: Number(port ?? 0), scenario });
  console.log(store.url);
}
