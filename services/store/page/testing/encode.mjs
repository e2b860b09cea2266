// Encodes stacks as the store does: Pyroscope's flame graph levels, and pprof.

function child(node, name) {
  let found = node.children.get(name);
  if (!found) node.children.set(name, (found = { name, total: 0, self: 0, children: new Map() }));
  return found;
}

// `stacks`: [[frames root first], value].
export function flameGraph(stacks) {
  const root = { name: "total", total: 0, self: 0, children: new Map() };
  for (const [frames, value] of stacks) {
    root.total += value;
    let node = root;
    for (const frame of frames) {
      node = child(node, frame.name);
      node.total += value;
    }
    node.self += value;
  }
  return encodeTree(root);
}

// The traversal of Pyroscope: children by name, the last pushed is visited first, and a first
// child begins after its parent's self value.
function encodeTree(root) {
  const names = [];
  const numbers = new Map();
  const levels = [];
  const ends = [];
  let maxSelf = 0;
  const work = [{ node: root, x: 0, depth: 0 }];
  const rows = [];
  while (work.length > 0) {
    const { node, x, depth } = work.pop();
    if (!numbers.has(node.name)) numbers.set(node.name, names.push(node.name) - 1);
    (rows[depth] ??= []).push([x, node.total, node.self, numbers.get(node.name)]);
    maxSelf = Math.max(maxSelf, node.self);
    let at = x + node.self;
    for (const c of [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      work.push({ node: c, x: at, depth: depth + 1 });
      at += c.total;
    }
  }
  for (const [depth, row] of rows.entries()) {
    row.sort((a, b) => a[0] - b[0]);
    ends[depth] = 0;
    const values = row.flatMap(([x, total, self, name]) => {
      const dx = x - ends[depth];
      ends[depth] = x + total;
      return [dx, total, self, name];
    });
    levels.push({ values: values.map(String) });
  }
  return { names, levels, total: String(root.total), maxSelf: String(maxSelf) };
}

class Writer {
  bytes = [];
  varint(value) {
    let rest = value;
    while (rest >= 128) {
      this.bytes.push(rest % 128 | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.bytes.push(rest);
    return this;
  }
  number(field, value) {
    return this.varint(field * 8).varint(value);
  }
  block(field, bytes) {
    this.varint(field * 8 + 2).varint(bytes.length);
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }
}

// google.v1.Profile. A frame marked inlined shares its location with the frame that calls it.
// `about`, for profiles that are pushed: {sampleType, unit, periodType, periodUnit, timeMs}.
export function pprof(stacks, about = null) {
  const strings = [""];
  const tables = { mapping: new Map(), function: new Map(), location: new Map() };
  const out = new Writer();
  const text = (s) => {
    const at = strings.indexOf(s);
    return at >= 0 ? at : strings.push(s) - 1;
  };
  const id = (table, key, write) => {
    if (!table.has(key)) {
      table.set(key, table.size + 1);
      write(table.get(key));
    }
    return table.get(key);
  };
  const mapping = (frame) =>
    frame.module === ""
      ? 0
      : id(tables.mapping, frame.module, (n) =>
          out.block(
            3,
            new Writer().number(1, n).number(5, text(frame.module)).number(6, text(frame.buildId))
              .bytes,
          ),
        );
  const fn = (frame) =>
    id(tables.function, frame.name + frame.file, (n) =>
      out.block(
        5,
        new Writer().number(1, n).number(2, text(frame.name)).number(4, text(frame.file)).bytes,
      ),
    );
  // `frames`: the frame of the location, then those inlined into it, outermost first.
  const location = (frames) =>
    id(tables.location, JSON.stringify(frames), (n) => {
      const w = new Writer()
        .number(1, n)
        .number(2, mapping(frames[0]))
        .number(3, 4096 + n);
      const unresolved = /^\[.*\.so/.test(frames[0].name);
      for (const frame of unresolved ? [] : [...frames].reverse()) {
        w.block(4, new Writer().number(1, fn(frame)).number(2, frame.line).bytes);
      }
      out.block(4, w.bytes);
    });
  for (const [frames, value] of stacks) {
    const groups = [];
    for (const frame of frames) {
      if (frame.inlined && groups.length > 0) groups[groups.length - 1].push(frame);
      else groups.push([frame]);
    }
    const sample = new Writer();
    for (const group of groups.reverse()) sample.number(1, location(group));
    out.block(2, sample.number(2, value).bytes);
  }
  if (about) {
    const valueType = (type, unit) =>
      new Writer().number(1, text(type)).number(2, text(unit)).bytes;
    out.block(1, valueType(about.sampleType, about.unit));
    out.number(9, about.timeMs * 1e6);
    out.block(11, valueType(about.periodType, about.periodUnit)).number(12, 1);
  }
  for (const s of strings) out.block(6, new TextEncoder().encode(s));
  return Uint8Array.from(out.bytes);
}
