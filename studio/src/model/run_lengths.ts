/** COCO's compressed run lengths to pixels: only the part inside the mask's own box, coarser where it is large. */

import type { AnsweredMask } from "../http/types";

export const MAX_SIDE = 2048;
const OFFSET = 48;

/** A mask's pixels in its box. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1 on the object, row by row. */
  readonly pixels: Uint8Array;
  /** Scene pixels a raster pixel covers along each side. */
  readonly step: number;
}

/** The lengths of runs of 0 and 1 in turn, beginning with 0. */
export function runsOf(counts: string): number[] {
  const runs: number[] = [];
  let place = 0;
  while (place < counts.length) {
    let value = 0;
    let digit = 0;
    let code: number;
    do {
      code = counts.charCodeAt(place++) - OFFSET;
      value += (code & 31) * 32 ** digit++;
    } while ((code & 32) !== 0 && place < counts.length);
    if ((code & 16) !== 0) value -= 32 ** digit; // the sign, carried on to all higher bits
    // From the fourth on, a run is written as the difference to the one two before it.
    runs.push(runs.length > 2 ? value + (runs[runs.length - 2] ?? 0) : value);
  }
  return runs;
}

/** The mask as a raster of at most MAX_SIDE pixels a side; null where it is empty. */
export function rasterOf(mask: Pick<AnsweredMask, "box" | "size" | "counts">, maxSide = MAX_SIDE): Raster | null {
  if (mask.box === null) return null;
  const [x0, y0, x1, y1] = mask.box;
  const step = Math.max(1, Math.ceil(Math.max(x1 - x0, y1 - y0) / maxSide));
  const width = Math.ceil((x1 - x0) / step);
  const height = Math.ceil((y1 - y0) / step);
  const pixels = new Uint8Array(width * height);
  const rows = mask.size[0];
  let start = 0;
  runsOf(mask.counts).forEach((run, index) => {
    const end = start + run;
    if (index % 2 === 1) fill(start, end);
    start = end;
  });
  return { width, height, pixels, step };

  function fill(from: number, to: number): void {
    for (let place = from; place < to; ) {
      const x = Math.floor(place / rows);
      const top = place - x * rows;
      const bottom = Math.min(rows, top + to - place);
      const column = Math.floor((x - x0) / step);
      const last = Math.floor((bottom - 1 - y0) / step);
      for (let row = Math.floor((top - y0) / step); row <= last; row++) pixels[row * width + column] = 1;
      place += bottom - top;
    }
  }
}

/** True where the pixel is set and one of its four neighbours is not. */
export function isRim({ width, height, pixels }: Raster, x: number, y: number): boolean {
  const at = (column: number, row: number): boolean =>
    column >= 0 && row >= 0 && column < width && row < height && pixels[row * width + column] === 1;
  return at(x, y) && !(at(x - 1, y) && at(x + 1, y) && at(x, y - 1) && at(x, y + 1));
}
