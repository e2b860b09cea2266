// What the page needs of a pprof (google.v1.Profile): the frames of each stack with file, line,
// module and whether they are inlined, and the stacks' values. The store's page takes the values
// from the flame graph; a report that has nothing but a pprof takes them from here.

import { appendNumbers, readFields, type Field } from "./protobuf";
import {
  ChildIndex,
  makeNode,
  recomputeTotals,
  sortByName,
  type FrameNote,
  type Node,
} from "./tree";

export interface PprofFrame {
  name: string;
  // Without a symbol: how those write it who tell addresses apart, as `stoker record` does.
  withAddress: string;
  note: FrameNote;
}

export interface ValueType {
  type: string;
  unit: string;
}

export interface Pprof {
  // What the values of a stack mean, in their order.
  sampleTypes: ValueType[];
  periodType: ValueType;
  // Which of them is meant to be shown first.
  defaultIndex: number;
  // Location numbers of each stack, leaf first.
  stacks: number[][];
  // The values of each stack, one for each of `sampleTypes`.
  values: number[][];
  // The frames of a location, outermost first: the inlined ones come after the one they are in.
  framesOf: (location: number) => PprofFrame[];
}

interface Mapping {
  file: number;
  buildId: number;
}
interface Location {
  mapping: number;
  address: number;
  lines: Array<{ function: number; line: number }>;
}
interface Function {
  name: number;
  file: number;
}

interface Tables {
  strings: string[];
  mappings: Map<number, Mapping>;
  locations: Map<number, Location>;
  functions: Map<number, Function>;
}

// Field numbers of google.v1.Profile.
const SAMPLE_TYPE = 1;
const SAMPLE = 2;
const MAPPING = 3;
const LOCATION = 4;
const FUNCTION = 5;
const STRING_TABLE = 6;
const PERIOD_TYPE = 11;
const DEFAULT_SAMPLE_TYPE = 14;

// A negative int64 comes as a varint from here on.
const LEAST_NEGATIVE = 2 ** 63;

export function decodePprof(bytes: Uint8Array): Pprof {
  const tables: Tables = {
    strings: [],
    mappings: new Map(),
    locations: new Map(),
    functions: new Map(),
  };
  const stacks: number[][] = [];
  const values: number[][] = [];
  const types: number[][] = [];
  let periodType: number[] = [];
  let shownFirst = 0;
  const text = new TextDecoder();
  readFields(bytes, (field) => {
    if (field.number === SAMPLE) readSample(field.bytes, stacks, values);
    else if (field.number === STRING_TABLE) tables.strings.push(text.decode(field.bytes));
    else if (field.number === SAMPLE_TYPE) types.push(readScalars(field.bytes));
    else if (field.number === PERIOD_TYPE) periodType = readScalars(field.bytes);
    else if (field.number === DEFAULT_SAMPLE_TYPE) shownFirst = field.value;
    else readTable(field, tables);
  });
  const valueType = (f: number[]): ValueType => ({
    type: tables.strings[f[1] ?? 0] ?? "",
    unit: tables.strings[f[2] ?? 0] ?? "",
  });
  const named = types.findIndex((f) => shownFirst > 0 && f[1] === shownFirst);
  return {
    sampleTypes: types.map(valueType),
    periodType: valueType(periodType),
    // As `go tool pprof` does, which takes the last one where none is named.
    defaultIndex: named >= 0 ? named : Math.max(types.length - 1, 0),
    stacks,
    values,
    framesOf: frameCache(tables),
  };
}

function frameCache(tables: Tables): (location: number) => PprofFrame[] {
  const cache = new Map<number, PprofFrame[]>();
  return (location) => {
    let frames = cache.get(location);
    if (!frames) {
      frames = makeFrames(tables, location);
      cache.set(location, frames);
    }
    return frames;
  };
}

// The call tree of one of the values. Negative values, which only differences have, count as none.
export function pprofTree(pprof: Pprof, valueIndex: number): Node {
  const root = makeNode("total", null);
  const index = new ChildIndex();
  pprof.stacks.forEach((stack, at) => {
    const value = pprof.values[at][valueIndex] ?? 0;
    if (value <= 0 || value >= LEAST_NEGATIVE) return;
    let node = root;
    for (let i = stack.length - 1; i >= 0; i--) {
      for (const { name, note } of pprof.framesOf(stack[i])) {
        node = index.findOrAdd(node, name);
        node.note = note;
      }
    }
    node.self += value;
  });
  recomputeTotals(root);
  sortByName(root);
  return root;
}

function readTable(field: Field, tables: Tables): void {
  if (field.number === MAPPING) {
    const f = readScalars(field.bytes);
    tables.mappings.set(f[1] ?? 0, { file: f[5] ?? 0, buildId: f[6] ?? 0 });
  } else if (field.number === FUNCTION) {
    const f = readScalars(field.bytes);
    tables.functions.set(f[1] ?? 0, { name: f[2] ?? 0, file: f[4] ?? 0 });
  } else if (field.number === LOCATION) {
    readLocation(field.bytes, tables);
  }
}

function readSample(bytes: Uint8Array, stacks: number[][], values: number[][]): void {
  const locations: number[] = [];
  const own: number[] = [];
  readFields(bytes, (field) => {
    if (field.number === 1) appendNumbers(field, locations);
    if (field.number === 2) appendNumbers(field, own);
  });
  stacks.push(locations);
  values.push(own);
}

function readScalars(bytes: Uint8Array): number[] {
  const values: number[] = [];
  readFields(bytes, (field) => {
    values[field.number] = field.value;
  });
  return values;
}

function readLocation(bytes: Uint8Array, tables: Tables): void {
  const location: Location = { mapping: 0, address: 0, lines: [] };
  let id = 0;
  readFields(bytes, (field) => {
    if (field.number === 1) id = field.value;
    if (field.number === 2) location.mapping = field.value;
    if (field.number === 3) location.address = field.value;
    if (field.number === 4) {
      const line = readScalars(field.bytes);
      location.lines.push({ function: line[1] ?? 0, line: line[2] ?? 0 });
    }
  });
  tables.locations.set(id, location);
}

// pprof lists a location's lines innermost first; the last one is the function that has the frame.
function makeFrames(tables: Tables, id: number): PprofFrame[] {
  const location = tables.locations.get(id);
  if (!location) return [];
  const mapping = tables.mappings.get(location.mapping);
  const module = mapping ? (tables.strings[mapping.file] ?? "") : "";
  const buildId = mapping ? (tables.strings[mapping.buildId] ?? "") : "";
  if (location.lines.length === 0) {
    const note = { file: "", line: 0, module, buildId, inlined: false };
    const withAddress = `${baseName(module)} 0x${location.address.toString(16)}`;
    return [{ name: unresolvedName(module), withAddress, note }];
  }
  const outermost = location.lines.length - 1;
  return location.lines
    .map((line, index) => {
      const fn = tables.functions.get(line.function);
      return {
        name: fn ? (tables.strings[fn.name] ?? "") : "",
        withAddress: "",
        note: {
          file: fn ? (tables.strings[fn.file] ?? "") : "",
          line: line.line,
          module,
          buildId,
          inlined: index < outermost,
        },
      };
    })
    .reverse();
}

// As the store names it in the flame graph; the kernel's own names are bracketed already.
function unresolvedName(module: string): string {
  const base = baseName(module);
  if (base === "") return "[unknown]";
  return base.startsWith("[") ? base : `[${base}]`;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
