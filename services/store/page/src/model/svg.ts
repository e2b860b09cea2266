// The flame graph as an SVG file that opens alone, with a title on each box.

import { changeMark, changeOf } from "./diff";
import { layoutBoxes, type Box } from "./layout";
import { shareOf, type Node, type Tree } from "./tree";
import type { Paint } from "./colour";
import { formatShare, formatValue } from "./units";

const ROW = 18;
const LETTER = 6.6;

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

// The text that fits in `width` pixels, or empty.
export function fitText(text: string, width: number, letter: number): string {
  const room = Math.floor((width - 6) / letter);
  if (room < 2) return "";
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

export interface SvgOptions {
  title: string;
  unit: string;
  width: number;
  paint: (node: Node) => Paint;
}

export function toSvg(tree: Tree, zoom: Node, options: SvgOptions): string {
  const { rows } = layoutBoxes(tree, zoom, options.width);
  const height = (rows.length + 2) * ROW;
  const boxes = rows.flatMap((row, depth) => row.map((box) => svgBox(tree, box, depth, options)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${options.width}" height="${height}" ` +
      `viewBox="0 0 ${options.width} ${height}" font-family="sans-serif" font-size="11">`,
    `<title>${escapeXml(options.title)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="4" y="13" font-weight="bold">${escapeXml(options.title)}</text>`,
    ...boxes,
    "</svg>\n",
  ].join("\n");
}

function svgBox(tree: Tree, box: Box, depth: number, options: SvgOptions): string {
  const { node } = box;
  const y = (depth + 1.5) * ROW;
  const paint = options.paint(node);
  const share = shareOf(tree, node);
  const mark = tree.diff ? `, ${changeMark(changeOf(tree, node))}` : "";
  const value = formatValue(node.total, options.unit);
  const title = `${node.name}: ${value}, ${formatShare(share)}${mark}`;
  const label = fitText(node.name, box.width, LETTER);
  const text = label
    ? `<text x="${(box.x + 3).toFixed(1)}" y="${y + 12.5}" fill="${paint.text}">` +
      `${escapeXml(label)}</text>`
    : "";
  return (
    `<g><title>${escapeXml(title)}</title><rect x="${box.x.toFixed(1)}" y="${y}" ` +
    `width="${Math.max(box.width - 0.5, 0.3).toFixed(1)}" height="${ROW - 1}" rx="1" ` +
    `fill="${paint.fill}"/>${text}</g>`
  );
}
