import { expect, it } from "vitest";
import { crossingEdges, crossingSentence } from "../src/model/crossing";
import { Drawing } from "../src/model/drawing";
import type { Vertex } from "../src/model/marks";

const SQUARE: Vertex[] = [[0, 0], [10, 0], [10, 10], [0, 10]];
const BOW: Vertex[] = [[0, 0], [10, 10], [10, 0], [0, 10]];

it("names the first two edges that meet, as the server does", () => {
  expect(crossingEdges(SQUARE, true)).toBeNull();
  expect(crossingEdges(BOW, true)).toEqual([1, 3]);
  expect(crossingEdges([[0, 0], [10, 0], [5, 0], [5, 5]], true)).toEqual([1, 2]); // straight back
  expect(crossingEdges([[0, 0], [10, 0], [10, 10], [5, 0], [0, 10]], true)).toEqual([1, 3]); // touches an edge
  expect(crossingEdges([...SQUARE, [0, 0]], true)).toBeNull(); // closed twice
  expect(crossingEdges([[0, 0], [0, 0], [10, 0], [10, 10]], true)).toBeNull(); // a double click
  expect(crossingSentence(BOW, true)).toBe("The polygon crosses or touches itself: edges 1 and 3 meet.");
});

it("does not count the closing edge while a polygon is being drawn", () => {
  const spiral: Vertex[] = [[0, 0], [10, 0], [10, 10], [5, 10], [5, -5]];
  expect(crossingEdges(spiral, false)).toEqual([1, 4]);
  const hook: Vertex[] = [[5, 5], [0, 0], [10, 0], [10, 10], [-5, 8]];
  expect(crossingEdges(hook, false)).toBeNull();
  expect(crossingEdges([[0, 0]], false)).toBeNull();
});

it("is told when a polygon is placed and when a corner is moved", () => {
  const said: string[] = [];
  const drawing = new Drawing({
    size: () => [20, 20], maxMarks: () => 8, say: (sentence) => { said.push(sentence); }, keep: () => undefined, changed: () => undefined,
  });
  drawing.add({ kind: "polygon", coordinates: SQUARE });
  expect(said).toEqual([]);
  drawing.reshape(drawing.marks[0]?.id ?? "", { kind: "polygon", coordinates: BOW });
  drawing.add({ kind: "polygon", coordinates: BOW });
  expect(said).toEqual(Array(2).fill("The polygon crosses or touches itself: edges 1 and 3 meet. Move a corner, or draw it anew."));
  expect(drawing.marks).toHaveLength(2); // it can be mended
});
