/** The colours of regions, the same as in the pictures that the Python package draws. */

export const PALETTE = ["#ffd60a", "#00e5ff", "#ff5ccd", "#7cff4f", "#ff8c28", "#b294ff", "#ff5c5c", "#40e0b0"] as const;

/** Dark lines and words that stand on the colours. */
export const INK = "#101218";

/** The colour of a region by its number, counted from 1; it begins anew past the end. */
export function colourOf(number: number): string {
  return PALETTE[(number - 1) % PALETTE.length] ?? PALETTE[0];
}

/** Red, green and blue, 0..255. */
export function channels(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
