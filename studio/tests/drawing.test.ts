import { beforeEach, expect, it } from "vitest";
import { Drawing } from "../src/model/drawing";
import type { Mark, PlacedMark } from "../src/model/marks";

const POINT: Mark = { kind: "point", coordinates: [5, 5] };
const BOX: Mark = { kind: "box", coordinates: [1, 1, 4, 4] };
let said: string[];
let kept: readonly PlacedMark[];
let drawing: Drawing;

beforeEach(() => {
  said = [];
  kept = [];
  drawing = new Drawing({
    size: () => [100, 80], maxMarks: () => 3, say: (sentence) => said.push(sentence), keep: (marks) => { kept = marks; }, changed: () => undefined,
  });
});
const kinds = (): string[] => drawing.marks.map(({ mark }) => mark.kind);
const id = (place: number): string => drawing.marks[place]?.id ?? "";

it("adds, selects, keeps, undoes and redoes", () => {
  drawing.add(POINT);
  drawing.add(BOX);
  expect(kinds()).toEqual(["point", "box"]);
  expect(drawing.selected).toBe(id(1));
  drawing.undo();
  expect(kinds()).toEqual(["point"]);
  expect(drawing.selected).toBeNull();
  expect(kept).toEqual(drawing.marks);
  drawing.redo();
  expect(kinds()).toEqual(["point", "box"]);
});

it("takes no mark that is not drawn, lies outside or is one too many", () => {
  drawing.add({ kind: "box", coordinates: [3, 3, 3, 3] });
  expect(said).toEqual([]);
  drawing.add({ kind: "point", coordinates: [100, 5] });
  expect(said).toEqual(["The point lies outside the 100 x 80 scene."]);
  for (let count = 0; count < 4; count++) drawing.add(POINT);
  expect(drawing.marks).toHaveLength(3);
  expect(said[1]).toBe("One question carries at most 3 marks, and there are 3.");
});

it("moves within the scene only", () => {
  drawing.add(BOX);
  drawing.move(id(0), 10, 5);
  expect(drawing.marks[0]?.mark.coordinates).toEqual([11, 6, 14, 9]);
  drawing.move(id(0), 500, 0);
  expect(drawing.marks[0]?.mark.coordinates).toEqual([11, 6, 14, 9]);
});

it("renumbers, names and removes", () => {
  drawing.add(POINT);
  drawing.add(BOX);
  drawing.renumber(id(1), -1);
  expect(kinds()).toEqual(["box", "point"]);
  drawing.renumber(id(0), -1);
  expect(kinds()).toEqual(["box", "point"]);
  drawing.change(id(0), { label: "quay" });
  expect(drawing.marks[0]?.label).toBe("quay");
  drawing.select(id(0));
  drawing.remove(id(0));
  expect(kinds()).toEqual(["point"]);
  expect(drawing.selected).toBe(id(0));
});

it("selects round and round", () => {
  drawing.selectNext(1);
  expect(drawing.selected).toBeNull();
  drawing.add(POINT);
  drawing.add(BOX);
  drawing.selectNext(1);
  expect(drawing.selected).toBe(id(0));
  drawing.selectNext(-1);
  expect(drawing.selected).toBe(id(1));
});
