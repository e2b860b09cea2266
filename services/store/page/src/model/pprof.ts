// What the page needs of a pprof (google.v1.Profile): the frames of each stack with file, line,
// module and whether they are inlined. The values come from the flame graph.

import { appendNumbers, readFields, type Field } from "./protobuf";
import type { FrameNote } from "./tree";

export interface PprofFrame extends FrameNote {
  name: string;
}

export interface Pprof {
  // Location numbers of each stack, leaf first.
  stacks: number[][];
  // The frames of a location, outermost first: the inlined ones come after the one they are in.
  framesOf: (location: number) => PprofFrame[];
}

interface Mapping {
  file: number;
  buildId: number;
}
interface Location {
  mapping: number;
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
const SAMPLE = 2;
const MAPPING = 3;
const LOCATION = 4;
const FUNCTION = 5;
const STRING_TABLE = 6;

export function decodePprof(bytes: Uint8Array): Pprof {
  const tables: Tables = {
    strings: [],
    mappings: new Map(),
    locations: new Map(),
    functions: new Map(),
  };
  const stacks: number[][] = [];
  const text = new TextDecoder();
  readFields(bytes, (field) => {
    if (field.number === SAMPLE) stacks.push(readStack(field.bytes));
    else if (field.number === STRING_TABLE) tables.strings.push(text.decode(field.bytes));
    else readTable(field, tables);
  });
  const cache = new Map<number, PprofFrame[]>();
  const framesOf = (location: number): PprofFrame[] => {
    let frames = cache.get(location);
    if (!frames) {
      frames = makeFrames(tables, location);
      cache.set(location, frames);
    }
    return frames;
  };
  return { stacks, framesOf };
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

function readStack(bytes: Uint8Array): number[] {
  const locations: number[] = [];
  readFields(bytes, (field) => {
    if (field.number === 1) appendNumbers(field, locations);
  });
  return locations;
}

function readScalars(bytes: Uint8Array): number[] {
  const values: number[] = [];
  readFields(bytes, (field) => {
    values[field.number] = field.value;
  });
  return values;
}

function readLocation(bytes: Uint8Array, tables: Tables): void {
  const location: Location = { mapping: 0, lines: [] };
  let id = 0;
  readFields(bytes, (field) => {
    if (field.number === 1) id = field.value;
    if (field.number === 2) location.mapping = field.value;
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
    const name = unresolvedName(module);
    return [{ name, file: "", line: 0, module, buildId, inlined: false }];
  }
  const outermost = location.lines.length - 1;
  return location.lines
    .map((line, index) => {
      const fn = tables.functions.get(line.function);
      return {
        name: fn ? (tables.strings[fn.name] ?? "") : "",
        file: fn ? (tables.strings[fn.file] ?? "") : "",
        line: line.line,
        module,
        buildId,
        inlined: index < outermost,
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
