import Circle from "ol/geom/Circle";
import LineString from "ol/geom/LineString";
import { fromExtent } from "ol/geom/Polygon";
import { expect, it } from "vitest";
import { extentOf, projectionOf, tileGridOf, toMap, toPixel } from "../src/map/pixel_space";
import { maskColour, tileQuery } from "../src/map/scene_view";
import { geometryOf, markOf } from "../src/map/shapes";
import { PLAIN_DISPLAY } from "../src/model/drafts";
import type { Mark } from "../src/model/marks";
import { colourOf } from "../src/model/palette";
import { scene } from "./server";

const WIDE = scene("a", { width: 1000, height: 700, max_zoom: 2 });

it("lays the server's tiles on the scene's pixels", () => {
  const grid = tileGridOf(WIDE);
  expect(extentOf(WIDE)).toEqual([0, -700, 1000, 0]);
  expect(projectionOf(WIDE).getExtent()).toEqual([0, -700, 1000, 0]);
  expect(grid.getResolutions()).toEqual([4, 2, 1]);
  expect(grid.getTileCoordForCoordAndZ(toMap([10, 10]), 2)).toEqual([2, 0, 0]);
  expect(grid.getTileCoordForCoordAndZ(toMap([600, 300]), 2)).toEqual([2, 2, 1]);
  expect(grid.getTileCoordForCoordAndZ(toMap([600, 300]), 1)).toEqual([1, 1, 0]);
  expect(grid.getTileCoordExtent([2, 1, 0])).toEqual([256, -256, 512, 0]);
  expect(toPixel(toMap([3, 4]))).toEqual([3, 4]);
});

it.each<Mark>([
  { kind: "point", coordinates: [3, 4] },
  { kind: "polygon", coordinates: [[0, 0], [10, 0], [5, 8]] },
  { kind: "scribble", coordinates: [[0, 0], [4, 4], [9, 1]] },
  { kind: "box", coordinates: [1, 2, 30, 40] },
])("a $kind becomes a geometry and a mark again", (mark) => {
  expect(markOf(mark.kind, geometryOf(mark))).toEqual(mark);
});

it("reads what pens draw", () => {
  expect(markOf("box", fromExtent([10, -40, 30, -20]))).toEqual({ kind: "box", coordinates: [10, 20, 30, 40] });
  expect(markOf("ellipse", new Circle([10, -20], 5))).toEqual({ kind: "ellipse", coordinates: [10, 20, 5, 5] });
  expect(markOf("scribble", new LineString([[0.123456, -1], [2, -3]]))).toEqual({ kind: "scribble", coordinates: [[0.12, 1], [2, 3]] });
});

it("asks for tiles as they are to be shown", () => {
  expect(tileQuery(PLAIN_DISPLAY)).toBe("");
  expect(tileQuery({ ...PLAIN_DISPLAY, low: 0, high: 90.5, bands: [4, 3, 2] })).toBe("?low=0&high=90.5&bands=4%2C3%2C2");
});

it("gives a bound mask its region's colour and others colours of their own", () => {
  expect(maskColour(2, 1, 0)).toBe(colourOf(1));
  expect(maskColour(2, null, 0)).toBe(colourOf(3));
  expect(colourOf(9)).toBe(colourOf(1));
});
