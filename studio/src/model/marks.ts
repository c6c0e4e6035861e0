/** Marks as values: how they are sent, named, moved, typed and measured. Pixels: x right, y down. */

export type Vertex = readonly [number, number];
export type Mark =
  | { readonly kind: "point"; readonly coordinates: Vertex }
  | { readonly kind: "box"; readonly coordinates: readonly [number, number, number, number] }
  | { readonly kind: "ellipse"; readonly coordinates: readonly [number, number, number, number] }
  | { readonly kind: "polygon" | "scribble"; readonly coordinates: readonly Vertex[] };
export type Kind = Mark["kind"];

/** A mark that the user drew; its number is its place in the list. */
export interface PlacedMark {
  readonly id: string;
  readonly mark: Mark;
  /** The user's own name for it, empty where there is none. */
  readonly label: string;
}

export interface Bounds {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

const ELLIPSE_VERTICES = 48;
const ARITY: Partial<Record<string, number>> = { point: 2, box: 4, ellipse: 4 };

/** A circle is an ellipse of equal radii. */
export function nameOf(mark: Mark): string {
  return mark.kind === "ellipse" && mark.coordinates[2] === mark.coordinates[3] ? "circle" : mark.kind;
}

/** The vertices in order; an ellipse's rim as a polygon. */
export function outline(mark: Mark): Vertex[] {
  switch (mark.kind) {
    case "point":
      return [mark.coordinates];
    case "box": {
      const [x0, y0, x1, y1] = mark.coordinates;
      return [
        [x0, y0],
        [x1, y0],
        [x1, y1],
        [x0, y1],
      ];
    }
    case "ellipse": {
      const [x, y, radiusX, radiusY] = mark.coordinates;
      return Array.from({ length: ELLIPSE_VERTICES }, (_, step): Vertex => {
        const angle = (2 * Math.PI * step) / ELLIPSE_VERTICES;
        return [x + radiusX * Math.cos(angle), y + radiusY * Math.sin(angle)];
      });
    }
    default:
      return [...mark.coordinates];
  }
}

export function bounds(mark: Mark): Bounds {
  const vertices = outline(mark);
  const xs = vertices.map(([x]) => x);
  const ys = vertices.map(([, y]) => y);
  return { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
}

export function shifted(mark: Mark, dx: number, dy: number): Mark {
  const move = ([x, y]: Vertex): Vertex => [rounded(x + dx), rounded(y + dy)];
  switch (mark.kind) {
    case "point":
      return { kind: "point", coordinates: move(mark.coordinates) };
    case "box": {
      const [x0, y0, x1, y1] = mark.coordinates;
      return { kind: "box", coordinates: [...move([x0, y0]), ...move([x1, y1])] };
    }
    case "ellipse": {
      const [x, y, radiusX, radiusY] = mark.coordinates;
      return { kind: "ellipse", coordinates: [...move([x, y]), radiusX, radiusY] };
    }
    default:
      return { kind: mark.kind, coordinates: mark.coordinates.map(move) };
  }
}

/** True where some of the mark may lie in the scene. */
export function touches(mark: Mark, width: number, height: number): boolean {
  const { x0, y0, x1, y1 } = bounds(mark);
  return x0 < width && y0 < height && x1 >= 0 && y1 >= 0;
}

/** True where there is something to ask about: an area for boxes and polygons, a length for scribbles. */
export function isDrawn(mark: Mark): boolean {
  const { x0, y0, x1, y1 } = bounds(mark);
  if (mark.kind === "point") return true;
  if (mark.kind === "scribble") return new Set(mark.coordinates.map(String)).size >= 2;
  return x1 > x0 && y1 > y0 && (mark.kind !== "polygon" || new Set(mark.coordinates.map(String)).size >= 3);
}

/** A mark of a usual size around a place, for those who draw without a pointer. */
export function markAround(kind: Kind, [x, y]: Vertex, reach: number): Mark {
  const r = rounded(reach);
  const at = (dx: number, dy: number): Vertex => [rounded(x + dx), rounded(y + dy)];
  switch (kind) {
    case "point":
      return { kind, coordinates: at(0, 0) };
    case "box":
      return { kind, coordinates: [...at(-r, -r), ...at(r, r)] };
    case "ellipse":
      return { kind, coordinates: [...at(0, 0), r, r] };
    case "polygon":
      return { kind, coordinates: [at(0, -r), at(r, 0), at(0, r), at(-r, 0)] };
    case "scribble":
      return { kind, coordinates: [at(-r, 0), at(0, 0), at(r, 0)] };
  }
}

/** Reads the server's form of a mark; null for what cannot be drawn as an outline. */
export function markFromJson(value: unknown): Mark | null {
  if (typeof value !== "object" || value === null) return null;
  const { kind, coordinates } = value as { kind?: unknown; coordinates?: unknown };
  if (typeof kind !== "string" || !Array.isArray(coordinates)) return null;
  const mark = kind === "circle" ? fromNumbers("ellipse", circled(coordinates.flat())) : fromNumbers(kind, coordinates.flat());
  return mark !== null && isDrawn(mark) ? mark : null;
}

/** The coordinates as text that a person can read and change. */
export function coordinatesText(mark: Mark): string {
  return mark.coordinates.flat().join(", ");
}

/** Inverse of `coordinatesText`; null where the numbers do not make a mark of this kind. */
export function markFromText(kind: Kind, text: string): Mark | null {
  const numbers = text.split(/[\s,;]+/).filter((word) => word !== "").map(Number);
  const mark = fromNumbers(kind, numbers);
  return mark !== null && isDrawn(mark) ? mark : null;
}

/** Hundredths of a pixel are finer than any hand. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function circled(numbers: unknown[]): unknown[] {
  return numbers.length === 3 ? [...numbers, numbers[2]] : [];
}

function fromNumbers(kind: string, values: unknown[]): Mark | null {
  if (!values.every((value): value is number => typeof value === "number" && Number.isFinite(value))) return null;
  const numbers = values;
  const arity = ARITY[kind];
  if (arity !== undefined) {
    if (numbers.length !== arity) return null;
    return { kind, coordinates: numbers } as unknown as Mark;
  }
  if ((kind !== "polygon" && kind !== "scribble") || numbers.length % 2 !== 0) return null;
  const vertices: Vertex[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    vertices.push([numbers[index] ?? 0, numbers[index + 1] ?? 0]);
  }
  return { kind, coordinates: vertices };
}
