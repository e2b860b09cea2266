// The profile that a report carries in itself. README.md, "Reports", has its form.

import { annotate } from "./annotate";
import { fromBase64 } from "./base64";
import { decodeFlameGraph } from "./levels";
import { decodePprof, pprofTree, type Pprof } from "./pprof";
import type { Node } from "./tree";

// What stands in the page, as JSON. Either `flamebearer` or `pprof` is needed.
export interface ReportFile {
  title?: string;
  detail?: string;
  // What of it is shown at first, as it stands in addresses: `view=flame&search=malloc`.
  view?: string;
  flamebearer?: { names?: string[]; levels?: number[][] };
  metadata?: { units?: string; name?: string; sampleRate?: number };
  // Base64 of a pprof, with gzip or bare.
  pprof?: string;
}

export interface ReportProfile {
  // As the store names profile types.
  type: string;
  root: Node;
}

export interface Report {
  title: string;
  detail: string;
  view: string;
  // One for each kind of value; never empty.
  types: string[];
  shownFirst: string;
  profile: (type: string) => ReportProfile;
  // The pprof as it came; null where the report has none.
  pprof: Uint8Array | null;
}

const NANOSECONDS = 1e9;

// Throws where the file holds no profile or a malformed one.
export async function readReport(file: ReportFile | null): Promise<Report> {
  if (!file) throw new Error("nobody has put a profile into this page");
  const bytes = file.pprof ? await unpack(fromBase64(file.pprof)) : null;
  const pprof = bytes ? decodePprof(bytes) : null;
  const { title = "Profile", detail = "", view = "" } = file;
  const about = { title, detail, view, pprof: bytes };
  if (file.flamebearer) return { ...about, ...fromFlamebearer(file, pprof) };
  if (pprof) return { ...about, ...fromPprof(pprof) };
  throw new Error("the page holds neither a flamebearer nor a pprof");
}

type Profiles = Pick<Report, "types" | "shownFirst" | "profile">;

function fromFlamebearer({ flamebearer, metadata }: ReportFile, pprof: Pprof | null): Profiles {
  const levels = (flamebearer?.levels ?? []).map((values) => ({ values }));
  const root = decodeFlameGraph({ names: flamebearer?.names, levels });
  // A recording of several processes has each one's name above its stacks, which pprofs have not.
  if (pprof && annotate(root, pprof) === 0) {
    for (const child of root.children) annotate(child, pprof);
  }
  const sampleType = metadata?.name ?? "cpu";
  const inSamples = metadata?.units === "samples";
  if (inSamples) toNanoseconds(root, metadata?.sampleRate ?? NANOSECONDS);
  const unit = inSamples ? "nanoseconds" : metadata?.units === "bytes" ? "bytes" : "count";
  const type = typeId({ type: sampleType, unit });
  return { types: [type], shownFirst: type, profile: () => ({ type, root }) };
}

// Values counted at `sampleRate` a second. Pyroscope's CPU time is counted at 1e9.
function toNanoseconds(root: Node, sampleRate: number): void {
  const factor = NANOSECONDS / sampleRate;
  if (factor === 1 || !(factor > 0)) return;
  const work = [root];
  while (work.length > 0) {
    const node = work.pop()!;
    node.total *= factor;
    node.self *= factor;
    work.push(...node.children);
  }
}

function fromPprof(pprof: Pprof): Profiles {
  if (pprof.sampleTypes.length === 0) throw new Error("the pprof does not say what it counts");
  const types = pprof.sampleTypes.map((t) => typeId(t));
  const trees = new Map<string, Node>();
  const profile = (type: string): ReportProfile => {
    const at = Math.max(types.indexOf(type), 0);
    let root = trees.get(types[at]);
    if (!root) trees.set(types[at], (root = pprofTree(pprof, at)));
    return { type: types[at], root };
  };
  return { types, shownFirst: types[pprof.defaultIndex], profile };
}

// The name that the store gives to what pprofs usually count.
const NAMES: Record<string, string> = {
  cpu: "process_cpu",
  samples: "process_cpu",
  off_cpu: "off_cpu",
  wall: "wall",
  alloc_space: "memory",
  alloc_objects: "memory",
  inuse_space: "memory",
  inuse_objects: "memory",
};

function typeId({ type, unit }: { type: string; unit: string }): string {
  return `${NAMES[type] ?? ""}:${type}:${unit}::`;
}

// The place of the profile in a report; see report.cc.
const PLACE = /(<script id="profile" type="application\/json">)null(?=<\/script>)/;

// The report page `template` with a profile in it. In JSON a `<` occurs only inside strings, where
// it may as well be written so that no name can end the script.
export function fillReport(template: string, file: ReportFile): string {
  if (!PLACE.test(template)) throw new Error("the report page has no place for a profile");
  const json = JSON.stringify(file).replace(/</g, "\\u003c");
  return template.replace(PLACE, (_, open: string) => open + json);
}

async function unpack(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes as BlobPart]).stream();
  const plain = stream.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
