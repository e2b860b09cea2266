// The hatching of frames without a name, so that they differ from functions by more than colour.

const patterns = new Map<string, CanvasPattern | string>();
const SIZE = 8;

// `dense` marks the end of a truncated stack.
export function hatch(
  context: CanvasRenderingContext2D,
  dark: boolean,
  dense: boolean,
): CanvasPattern | string {
  const key = `${dark}${dense}`;
  let pattern = patterns.get(key);
  if (pattern === undefined) {
    pattern = context.createPattern(tile(dark, dense), "repeat") ?? "transparent";
    patterns.set(key, pattern);
  }
  return pattern;
}

function tile(dark: boolean, dense: boolean): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = SIZE;
  canvas.height = SIZE;
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.strokeStyle = dark ? "rgba(255,255,255,0.16)" : "rgba(0,0,0,0.13)";
  context.lineWidth = dense ? 2 : 1;
  context.beginPath();
  for (const offset of dense ? [-4, 0, 4, 8] : [-4, 4]) {
    context.moveTo(offset - 1, SIZE + 1);
    context.lineTo(offset + SIZE + 1, -1);
  }
  context.stroke();
  return canvas;
}
