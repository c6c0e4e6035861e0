/** An answer's text as pieces to show: words, and references to regions. The model's own tokens are left out. */

export type Piece =
  | { readonly kind: "words"; readonly text: string }
  | { readonly kind: "region"; readonly number: number };

const TOKENS = /<\/?p>|<pix>|<\/?s>|<\|[a-z_]+\|>/gi;
const ONLY_A_MASK = /:\s*<pix>[ \t.]*(?=\n|$)/gi;
const REGION = /<region\s+(\d+)>/gi;

/**
 * @param text as the model wrote it, perhaps not to the end.
 * @param isWhole false while words still arrive: a token that is not closed yet is held back.
 */
export function piecesOf(text: string, isWhole = true): Piece[] {
  const arrived = isWhole ? text : text.replace(/<[^<>]{0,16}$/, "");
  const clean = arrived.replace(ONLY_A_MASK, ": its mask").replace(TOKENS, "").replace(/[ \t]{2,}/g, " ").replace(/ +([.,;:!?])/g, "$1");
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of clean.matchAll(REGION)) {
    if (match.index > end) pieces.push({ kind: "words", text: clean.slice(end, match.index) });
    pieces.push({ kind: "region", number: Number(match[1]) });
    end = match.index + match[0].length;
  }
  if (end < clean.length) pieces.push({ kind: "words", text: clean.slice(end) });
  return pieces;
}

/** The same for a voice. */
export function spoken(text: string): string {
  return piecesOf(text)
    .map((piece) => (piece.kind === "words" ? piece.text : `Region ${piece.number}`))
    .join("")
    .trim();
}
