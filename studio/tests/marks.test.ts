import { describe, expect, it } from "vitest";
import { bounds, coordinatesText, isDrawn, markAround, markFromJson, markFromText, nameOf, shifted, touches, type Kind, type Mark } from "../src/model/marks";

const MARKS: Mark[] = [
  { kind: "point", coordinates: [3, 4] },
  { kind: "box", coordinates: [1, 2, 30, 40] },
  { kind: "ellipse", coordinates: [10, 20, 5, 6] },
  { kind: "polygon", coordinates: [[0, 0], [10, 0], [5, 8]] },
  { kind: "scribble", coordinates: [[0, 0], [4, 4], [9, 1]] },
];

describe("marks", () => {
  it.each(MARKS)("$kind is read back from JSON and from text", (mark) => {
    expect(markFromJson(JSON.parse(JSON.stringify(mark)))).toEqual(mark);
    expect(markFromText(mark.kind, coordinatesText(mark))).toEqual(mark);
  });

  it.each(MARKS)("$kind moves there and back", (mark) => {
    expect(shifted(shifted(mark, 2.5, -7), -2.5, 7)).toEqual(mark);
    const [before, after] = [bounds(mark), bounds(shifted(mark, 2, 3))];
    expect(after.x0 - before.x0).toBeCloseTo(2);
    expect(after.y1 - before.y1).toBeCloseTo(3);
  });

  it("reads the server's circle as an ellipse", () => {
    expect(markFromJson({ kind: "circle", coordinates: [5, 6, 7] })).toEqual({ kind: "ellipse", coordinates: [5, 6, 7, 7] });
  });

  it.each([
    null, 3, {}, { kind: "mask", size: [2, 2], counts: "01" }, { kind: "box", coordinates: [1, 2, 3] },
    { kind: "point", coordinates: [Number.NaN, 1] }, { kind: "box", coordinates: [4, 4, 4, 9] }, { kind: "polygon", coordinates: [[0, 0], [1, 1]] },
  ])("refuses %j", (value) => {
    expect(markFromJson(value)).toBeNull();
  });

  it("refuses numbers that are none", () => {
    expect(markFromText("box", "1, 2, three, 4")).toBeNull();
    expect(markFromText("point", "")).toBeNull();
  });

  it("calls an ellipse of equal radii a circle", () => {
    expect(nameOf({ kind: "ellipse", coordinates: [0, 0, 3, 3] })).toBe("circle");
    expect(nameOf({ kind: "ellipse", coordinates: [0, 0, 3, 4] })).toBe("ellipse");
  });

  it("knows what lies in the scene", () => {
    expect(touches({ kind: "box", coordinates: [-5, -5, 1, 1] }, 10, 10)).toBe(true);
    expect(touches({ kind: "point", coordinates: [10, 3] }, 10, 10)).toBe(false);
  });

  it.each<Kind>(["point", "box", "ellipse", "polygon", "scribble"])("places a %s without a pointer", (kind) => {
    const mark = markAround(kind, [50, 60], 10);
    expect(isDrawn(mark)).toBe(true);
    expect(touches(mark, 100, 100)).toBe(true);
  });
});
