// Colours of frames. Hue tells modules or names apart; diffs use blue and orange, which people with
// any of the common colour blindnesses can tell apart, and carry a text mark besides.

import type { Change } from "./diff";
import { kindOf } from "./frame_kind";
import { baseName } from "./pprof";
import type { Node } from "./tree";

export interface Paint {
  fill: string;
  text: string;
}

// The module a frame belongs to: its binary where known, else what its name tells.
export function moduleOf(node: { name: string; note: Node["note"] }): string {
  if (node.note?.module) return baseName(node.note.module);
  return packageOf(node.name);
}

function packageOf(name: string): string {
  const bracketed = /^\[(.+)\]$/.exec(name);
  if (bracketed) return bracketed[1];
  const slash = name.lastIndexOf("/");
  if (slash > 0) {
    const dot = name.indexOf(".", slash);
    return dot > 0 ? name.slice(0, dot) : name.slice(0, slash);
  }
  const scope = name.indexOf("::");
  if (scope > 0) return name.slice(0, scope).replace(/^.*[ <(&*]/, "");
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : "";
}

function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  h ^= h >>> 15;
  return (Math.imul(h, 2246822519) >>> 0) / 2 ** 32;
}

// Warm to green hues for code; grey for what has no name.
export function framePaint(node: Node, by: "module" | "name", dark: boolean): Paint {
  const text = dark ? "#f4f2ee" : "#1d1a16";
  const kind = kindOf(node.name);
  if (kind !== "function" || !node.frame) {
    return { fill: dark ? "#45464a" : "#d9d8d4", text };
  }
  const key = by === "module" ? moduleOf(node) || node.name : node.name;
  const hue = Math.round(hash(key) * 360);
  const shade = hash(node.name + "~") * 6 - 3;
  const fill = dark
    ? `hsl(${hue} 34% ${(34 + shade).toFixed(1)}%)`
    : `hsl(${hue} 62% ${(78 + shade).toFixed(1)}%)`;
  return { fill, text };
}

// From white (or black) to full blue (less) or orange (more); a tenth of the profile is full.
export function diffPaint(change: Change, dark: boolean): Paint {
  const strength = Math.min(1, Math.sqrt(Math.abs(change.delta) / 0.1));
  const text = dark ? "#f4f2ee" : "#1d1a16";
  if (change.kind === "same") return { fill: dark ? "#45464a" : "#e3e2de", text };
  const more = change.delta > 0;
  const [hue, saturation] = more ? [28, 90] : [212, 80];
  const lightness = dark ? 24 + strength * 14 : 90 - strength * 26;
  const colourfulness = (0.35 + 0.65 * strength) * saturation * (dark ? 0.75 : 1);
  return { fill: `hsl(${hue} ${colourfulness.toFixed(0)}% ${lightness.toFixed(0)}%)`, text };
}
