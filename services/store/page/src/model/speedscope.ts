// speedscope's file format (https://www.speedscope.app/file-format-schema.json), one sampled
// profile.

import { pathTo, preorder, type Node } from "./tree";

const UNITS = ["nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"];

export function toSpeedscope(root: Node, name: string, unit: string): string {
  const frames: Array<{ name: string; file?: string; line?: number }> = [];
  const numbers = new Map<string, number>();
  const frameNumber = (node: Node): number => {
    const known = numbers.get(node.name);
    if (known !== undefined) return known;
    const frame: (typeof frames)[0] = { name: node.name };
    if (node.note?.file) frame.file = node.note.file;
    if (node.note?.file && node.note.line > 0) frame.line = node.note.line;
    numbers.set(node.name, frames.push(frame) - 1);
    return frames.length - 1;
  };
  const ends = preorder(root).filter((node) => node.self > 0 && node.parent);
  const samples = ends.map((node) => pathTo(node).slice(1).map(frameNumber));
  const weights = ends.map((node) => node.self);
  const endValue = weights.reduce((sum, w) => sum + w, 0);
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name,
    exporter: "stoker",
    activeProfileIndex: 0,
    shared: { frames },
    profiles: [
      {
        type: "sampled",
        name,
        unit: UNITS.includes(unit) ? unit : "none",
        startValue: 0,
        endValue,
        samples,
        weights,
      },
    ],
  });
}
