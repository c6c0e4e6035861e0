import { expect, it } from "vitest";
import { gapsOf, handlesOf, pulled, withoutVertex, withVertex } from "../src/model/handles";
import type { Mark } from "../src/model/marks";

const BOX: Mark = { kind: "box", coordinates: [10, 20, 50, 60] };
const CIRCLE: Mark = { kind: "ellipse", coordinates: [30, 40, 10, 10] };
const OVAL: Mark = { kind: "ellipse", coordinates: [30, 40, 10, 20] };
const TRIANGLE: Mark = { kind: "polygon", coordinates: [[0, 0], [10, 0], [0, 10]] };
const STROKE: Mark = { kind: "scribble", coordinates: [[0, 0], [10, 0]] };

function pull(mark: Mark, name: string, to: readonly [number, number]): unknown {
  const handle = [...handlesOf(mark), ...gapsOf(mark)].find((other) => other.name === name);
  if (handle === undefined) throw new Error(`no handle ${name}`);
  return pulled(mark, handle, to).coordinates;
}

it("pulls corners and sides of a box, and puts right one that is inside out", () => {
  expect(pull(BOX, "upper left corner", [12, 18])).toEqual([12, 18, 50, 60]);
  expect(pull(BOX, "upper right corner", [55, 25])).toEqual([10, 25, 55, 60]);
  expect(pull(BOX, "lower right corner", [45, 70])).toEqual([10, 20, 45, 70]);
  expect(pull(BOX, "lower left corner", [5, 65])).toEqual([5, 20, 50, 65]);
  expect(pull(BOX, "upper side", [999, 25])).toEqual([10, 25, 50, 60]);
  expect(pull(BOX, "right side", [60, 999])).toEqual([10, 20, 60, 60]);
  expect(pull(BOX, "lower side", [999, 55])).toEqual([10, 20, 50, 55]);
  expect(pull(BOX, "left side", [15, 999])).toEqual([15, 20, 50, 60]);
  expect(pull(BOX, "upper left corner", [70, 90])).toEqual([50, 60, 70, 90]);
});

it("pulls a circle's centre and rim, and keeps it a circle", () => {
  expect(pull(CIRCLE, "centre", [31, 42])).toEqual([31, 42, 10, 10]);
  expect(pull(CIRCLE, "right end of the rim", [33, 44])).toEqual([30, 40, 5, 5]);
  expect(pull(OVAL, "right end of the rim", [45, 0])).toEqual([30, 40, 15, 20]);
  expect(pull(OVAL, "upper end of the rim", [0, 35])).toEqual([30, 40, 10, 5]);
});

it("pulls, inserts and removes vertices", () => {
  expect(pull(TRIANGLE, "vertex 2 of 3", [12, 1])).toEqual([[0, 0], [12, 1], [0, 10]]);
  expect(pull(TRIANGLE, "between vertices 3 and 1", [-2, 5])).toEqual([[0, 0], [10, 0], [0, 10], [-2, 5]]);
  expect(gapsOf(TRIANGLE)).toHaveLength(3);
  expect(gapsOf(STROKE).map(({ at }) => at)).toEqual([[5, 0]]);
  expect(withVertex(STROKE, 1)).toEqual({ mark: { kind: "scribble", coordinates: [[0, 0], [5, 0], [10, 0]] }, place: 1 });
  expect(withVertex(BOX, 0)).toBeNull();
  expect(withoutVertex(TRIANGLE, 0)).toBe("A polygon needs at least 3 vertices, and this one has 3.");
  expect(withoutVertex(STROKE, 0)).toBe("A scribble needs at least 2 vertices, and this one has 2.");
  expect(withoutVertex({ kind: "scribble", coordinates: [[0, 0], [1, 1], [2, 0]] }, 1)).toEqual({ kind: "scribble", coordinates: [[0, 0], [2, 0]] });
  expect(withoutVertex(BOX, 0)).toBeNull();
});

it.each([BOX, CIRCLE, OVAL, TRIANGLE, STROKE])("a handle of a $kind pulled to where it is changes nothing", (mark) => {
  for (const handle of handlesOf(mark)) expect(pulled(mark, handle, handle.at)).toEqual(mark);
});
