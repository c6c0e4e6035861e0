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
  drawing.name(id(0), "quay");
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

it("reshapes within reason, one step each", () => {
  drawing.add(BOX);
  drawing.reshape(id(0), { kind: "box", coordinates: [2, 2, 9, 9] });
  expect(drawing.marks[0]?.mark.coordinates).toEqual([2, 2, 9, 9]);
  drawing.reshape(id(0), { kind: "box", coordinates: [2, 2, 2, 9] });
  drawing.reshape(id(0), { kind: "box", coordinates: [200, 2, 210, 9] });
  drawing.reshape("nobody", BOX);
  expect(said).toEqual(["The box lies outside the 100 x 80 scene."]);
  expect(drawing.marks[0]?.mark.coordinates).toEqual([2, 2, 9, 9]);
  drawing.undo();
  expect(drawing.marks[0]?.mark).toEqual(BOX);
});

it("holds handles one after the other, and nudges what is held", () => {
  drawing.holdNext(1);
  expect(drawing.handle).toBeNull();
  drawing.add(BOX);
  drawing.holdNext(-1);
  expect(drawing.handle?.name).toBe("left side");
  drawing.holdNext(1);
  expect(drawing.handle?.name).toBe("upper left corner");
  drawing.nudge(1, 2);
  expect(drawing.marks[0]?.mark.coordinates).toEqual([2, 3, 4, 4]);
  drawing.hold(null);
  drawing.nudge(10, 0);
  expect(drawing.marks[0]?.mark.coordinates).toEqual([12, 3, 14, 4]);
});

it("inserts and removes vertices, and undoes both", () => {
  const triangle: Mark = { kind: "polygon", coordinates: [[0, 0], [10, 0], [0, 10]] };
  drawing.add(triangle);
  expect(drawing.removeVertex()).toBe(false);
  drawing.hold(0);
  drawing.insertVertex();
  expect(drawing.marks[0]?.mark.coordinates).toEqual([[0, 0], [5, 0], [10, 0], [0, 10]]);
  expect(drawing.handle?.name).toBe("vertex 2 of 4");
  expect(drawing.removeVertex()).toBe(true);
  expect(drawing.marks[0]?.mark).toEqual(triangle);
  drawing.hold(2);
  expect(drawing.removeVertex()).toBe(true);
  expect(said).toEqual(["A polygon needs at least 3 vertices, and this one has 3."]);
  drawing.undo();
  drawing.hold(3);
  drawing.undo();
  expect(drawing.handle).toBeNull();
});

it("leaves no step to undo where nothing changed, and nothing selected that is gone", () => {
  drawing.add(POINT);
  drawing.name(id(0), "");
  drawing.move(id(0), 0, 0);
  drawing.remove("nobody");
  drawing.undo();
  expect(drawing.canUndo).toBe(false);
  drawing.redo();
  drawing.select(id(0));
  drawing.set([]);
  expect(drawing.selected).toBeNull();
});

it("adds many as one step, or none", () => {
  const many = (count: number): PlacedMark[] => Array.from({ length: count }, (_, place) => ({ id: `m${place}`, mark: POINT, label: "" }));
  drawing.add(BOX);
  drawing.addAll(many(3));
  expect(said).toEqual(["One question carries at most 3 marks, and there are 1, 3 more would come."]);
  drawing.addAll(many(2));
  expect(drawing.marks).toHaveLength(3);
  drawing.undo();
  expect(drawing.marks).toHaveLength(1);
});
