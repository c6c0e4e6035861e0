import { expect, it } from "vitest";
import { Undoable } from "../src/model/undo";

it("goes back and forth", () => {
  const value = new Undoable(0);
  value.set(1);
  value.set(2);
  expect(value.undo()).toBe(true);
  expect(value.value).toBe(1);
  expect(value.redo()).toBe(true);
  expect(value.value).toBe(2);
  expect(value.redo()).toBe(false);
});

it("forgets the future when something new is done", () => {
  const value = new Undoable("a");
  value.set("b");
  value.undo();
  value.set("c");
  expect(value.canRedo).toBe(false);
  value.undo();
  expect(value.value).toBe("a");
  expect(value.undo()).toBe(false);
});

it("keeps a bounded past", () => {
  const value = new Undoable(0);
  for (let step = 1; step <= 1000; step++) value.set(step);
  let steps = 0;
  while (value.undo()) steps++;
  expect(steps).toBe(200);
});
