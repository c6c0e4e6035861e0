/** Where a mark can be taken hold of to change its shape, and what becomes of it then. Pixels: x right, y down. */

import { rounded, type Mark, type Vertex } from "./marks";

export interface Handle {
  readonly at: Vertex;
  readonly name: string;
  /** As CSS names it. */
  readonly cursor: string;
  /** Gaps lie between vertices: pulled, they become one. */
  readonly isGap: boolean;
  /** Its place among the mark's handles, or the number of the vertex that a gap would become. */
  readonly place: number;
}

type Corners = readonly [number, number, number, number];

// The coordinate that moves along x, the one along y (of x0, y0, x1, y1), a name, a cursor.
const BOX_HANDLES: readonly [0 | 2 | null, 1 | 3 | null, string, string][] = [
  [0, 1, "upper left corner", "nwse-resize"],
  [2, 1, "upper right corner", "nesw-resize"],
  [2, 3, "lower right corner", "nwse-resize"],
  [0, 3, "lower left corner", "nesw-resize"],
  [null, 1, "upper side", "ns-resize"],
  [2, null, "right side", "ew-resize"],
  [null, 3, "lower side", "ns-resize"],
  [0, null, "left side", "ew-resize"],
];
const RIM: readonly [-1 | 0 | 1, -1 | 0 | 1, string][] = [[1, 0, "right"], [0, 1, "lower"], [-1, 0, "left"], [0, -1, "upper"]];
const FEWEST = { polygon: 3, scribble: 2 } as const;

/** A point has none: it is moved as a whole. */
export function handlesOf(mark: Mark): Handle[] {
  switch (mark.kind) {
    case "point":
      return [];
    case "box":
      return BOX_HANDLES.map(([x, y, name, cursor], place) => ({ at: placeOnBox(mark.coordinates, x, y), name, cursor, isGap: false, place }));
    case "ellipse": {
      const [x, y, radiusX, radiusY] = mark.coordinates;
      const rim = RIM.map(([dx, dy, side], index): Handle => ({
        at: [x + dx * radiusX, y + dy * radiusY], name: `${side} end of the rim`, cursor: dx === 0 ? "ns-resize" : "ew-resize", isGap: false, place: index + 1,
      }));
      return [{ at: [x, y], name: "centre", cursor: "move", isGap: false, place: 0 }, ...rim];
    }
    default:
      return mark.coordinates.map((at, place) => ({
        at, name: `vertex ${place + 1} of ${mark.coordinates.length}`, cursor: "move", isGap: false, place,
      }));
  }
}

/** The middles of a polygon's sides, or between the vertices of a scribble. */
export function gapsOf(mark: Mark): Handle[] {
  if (mark.kind !== "polygon" && mark.kind !== "scribble") return [];
  const vertices = mark.coordinates;
  const count = mark.kind === "polygon" ? vertices.length : vertices.length - 1;
  return Array.from({ length: count }, (_, index) => ({
    at: middle(vertices, index), name: `between vertices ${index + 1} and ${((index + 1) % vertices.length) + 1}`, cursor: "copy", isGap: true, place: index + 1,
  }));
}

/** The mark with a handle pulled to a place; a box pulled inside out is put right. */
export function pulled(mark: Mark, handle: Handle, [x, y]: Vertex): Mark {
  switch (mark.kind) {
    case "point":
      return { kind: "point", coordinates: [rounded(x), rounded(y)] };
    case "box":
      return { kind: "box", coordinates: pulledBox(mark.coordinates, handle.place, [x, y]) };
    case "ellipse":
      return { kind: "ellipse", coordinates: pulledEllipse(mark.coordinates, handle.place, [x, y]) };
    default: {
      const to: Vertex = [rounded(x), rounded(y)];
      return { kind: mark.kind, coordinates: mark.coordinates.toSpliced(handle.place, handle.isGap ? 0 : 1, to) };
    }
  }
}

/** With one more vertex, half way to the next; past a scribble's end, half way back. */
export function withVertex(mark: Mark, place: number): { mark: Mark; place: number } | null {
  const gaps = gapsOf(mark);
  const gap = gaps[Math.min(place, gaps.length - 1)];
  return gap === undefined ? null : { mark: pulled(mark, gap, gap.at), place: gap.place };
}

/** Without a vertex; a sentence where too few would be left, null where the mark has none to lose. */
export function withoutVertex(mark: Mark, place: number): Mark | string | null {
  if (mark.kind !== "polygon" && mark.kind !== "scribble") return null;
  const fewest = FEWEST[mark.kind];
  const count = mark.coordinates.length;
  if (count <= fewest) return `A ${mark.kind} needs at least ${fewest} vertices, and this one has ${count}.`;
  return { kind: mark.kind, coordinates: mark.coordinates.toSpliced(place, 1) };
}

function placeOnBox(corners: Corners, x: 0 | 2 | null, y: 1 | 3 | null): Vertex {
  return [x === null ? (corners[0] + corners[2]) / 2 : corners[x], y === null ? (corners[1] + corners[3]) / 2 : corners[y]];
}

function pulledBox(corners: Corners, place: number, [toX, toY]: Vertex): Corners {
  const [x, y] = BOX_HANDLES[place] ?? [null, null];
  const [x0, y0, x1, y1] = corners.map((value, index) => {
    if (index === x) return rounded(toX);
    return index === y ? rounded(toY) : value;
  }) as unknown as Corners;
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

/** A circle stays one. */
function pulledEllipse([x, y, radiusX, radiusY]: Corners, place: number, [toX, toY]: Vertex): Corners {
  const end = RIM[place - 1];
  if (end === undefined) return [rounded(toX), rounded(toY), radiusX, radiusY];
  if (radiusX === radiusY) {
    const radius = rounded(Math.hypot(toX - x, toY - y));
    return [x, y, radius, radius];
  }
  return end[0] === 0 ? [x, y, radiusX, rounded(Math.abs(toY - y))] : [x, y, rounded(Math.abs(toX - x)), radiusY];
}

function middle(vertices: readonly Vertex[], index: number): Vertex {
  const [x0, y0] = vertices[index] ?? [0, 0];
  const [x1, y1] = vertices[(index + 1) % vertices.length] ?? [0, 0];
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}
