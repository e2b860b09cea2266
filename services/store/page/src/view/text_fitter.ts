// Cuts labels to the width of their box. Measures each character once per font: measuring whole
// labels would cost more than drawing them.

// Less than this says nothing.
const MIN_CHARS = 3;

export class TextFitter {
  private readonly widths = new Map<string, Map<string, number>>();

  // As much of `text` as fits in `room` pixels in the context's font; empty below MIN_CHARS.
  fit(context: CanvasRenderingContext2D, text: string, room: number): string {
    let chars = this.widths.get(context.font);
    if (!chars) this.widths.set(context.font, (chars = new Map()));
    const ellipsis = this.width(context, chars, "…");
    let used = 0;
    let fits = 0;
    for (let i = 0; i < text.length; i++) {
      used += this.width(context, chars, text[i]);
      if (used > room) return fits >= MIN_CHARS ? `${text.slice(0, fits)}…` : "";
      if (used + ellipsis <= room) fits = i + 1;
    }
    return text;
  }

  private width(context: CanvasRenderingContext2D, chars: Map<string, number>, c: string): number {
    let width = chars.get(c);
    if (width === undefined) chars.set(c, (width = context.measureText(c).width));
    return width;
  }
}
