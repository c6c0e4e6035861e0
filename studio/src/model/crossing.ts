/** Whether a polygon crosses itself, judged as the server does, which takes none that does. */

import type { Vertex } from "./marks";

/** The numbers, from 1, of the first two edges that meet elsewhere than in the vertex they share; null where none do. */
export function crossingEdges(vertices: readonly Vertex[], isClosed: boolean): readonly [number, number] | null {
  const points = withoutRepeats(vertices, isClosed);
  const count = isClosed ? points.length : points.length - 1;
  const edge = (index: number): readonly [Vertex, Vertex] => [at(points, index), at(points, index + 1)];
  for (let first = 0; first < count; first++) {
    const [a, b] = edge(first);
    if (first + 1 < count && foldsBack(a, b, at(points, first + 2))) return [first + 1, first + 2];
    const last = isClosed && first === 0 ? count - 1 : count; // the last edge of a ring shares a vertex with the first
    for (let other = first + 2; other < last; other++) {
      const [c, d] = edge(other);
      if (meet(a, b, c, d)) return [first + 1, other + 1];
    }
  }
  return null;
}

/** What is wrong with a polygon that crosses itself; null where nothing is. */
export function crossingSentence(vertices: readonly Vertex[], isClosed: boolean): string | null {
  const edges = crossingEdges(vertices, isClosed);
  return edges === null ? null : `The polygon crosses or touches itself: edges ${edges[0]} and ${edges[1]} meet.`;
}

function at(points: readonly Vertex[], index: number): Vertex {
  return points[index % points.length] ?? [0, 0];
}

function withoutRepeats(vertices: readonly Vertex[], isClosed: boolean): readonly Vertex[] {
  const isSame = (one: Vertex, other: Vertex): boolean => one[0] === other[0] && one[1] === other[1];
  const points = vertices.filter((vertex, index) => index === 0 || !isSame(vertex, at(vertices, index - 1)));
  while (isClosed && points.length > 1 && isSame(at(points, 0), at(points, points.length - 1))) points.pop();
  return points;
}

/** On which side of a -> b lies c: 1, 0 or -1. */
function side([ax, ay]: Vertex, [bx, by]: Vertex, [cx, cy]: Vertex): number {
  return Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
}

/** Neighbours share a vertex by right; they overlap only where the path turns straight back. */
function foldsBack(a: Vertex, b: Vertex, c: Vertex): boolean {
  return side(a, b, c) === 0 && (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]) < 0;
}

function meet(a: Vertex, b: Vertex, c: Vertex, d: Vertex): boolean {
  const isApart = ([0, 1] as const).some((axis) =>
    Math.min(c[axis], d[axis]) > Math.max(a[axis], b[axis]) || Math.max(c[axis], d[axis]) < Math.min(a[axis], b[axis]));
  return !isApart && side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0;
}
