import { expect, it } from "vitest";
import type { Corners } from "../src/http/types";
import { isRim, rasterOf, runsOf } from "../src/model/run_lengths";
import written from "./masks.json"; // packed by the Python package's own Mask

interface Written {
  size: [number, number];
  counts: string;
  box: Corners | null;
  area: number;
  rows: string[] | null;
  sumX: number;
  sumY: number;
}
const MASKS = written as unknown as Written[];

it.each(MASKS)("unpacks what Python packed ($size)", (mask) => {
  const raster = rasterOf(mask);
  expect(runsOf(mask.counts).reduce((sum, run) => sum + run, 0)).toBe(mask.size[0] * mask.size[1]);
  if (mask.box === null) {
    expect(raster).toBeNull();
    return;
  }
  if (raster === null) throw new Error("no raster");
  const [x0, y0] = mask.box;
  const found = { area: 0, sumX: 0, sumY: 0 };
  raster.pixels.forEach((pixel, place) => {
    if (pixel === 0) return;
    found.area++;
    found.sumX += x0 + (place % raster.width);
    found.sumY += y0 + Math.floor(place / raster.width);
  });
  expect(found).toEqual({ area: mask.area, sumX: mask.sumX, sumY: mask.sumY });
  if (mask.rows === null) return;
  const rows = mask.rows.map((_, y) =>
    [...raster.pixels.slice(y * raster.width, (y + 1) * raster.width)].map((pixel) => (pixel === 1 ? "#" : ".")).join(""),
  );
  expect(rows).toEqual(mask.rows);
});

it("draws a large mask more coarsely, in the same place", () => {
  const mask = MASKS[2];
  if (mask === undefined) throw new Error("no mask");
  const fine = rasterOf(mask);
  const coarse = rasterOf(mask, 50);
  if (fine === null || coarse === null) throw new Error("no raster");
  expect(Math.max(coarse.width, coarse.height)).toBeLessThanOrEqual(50);
  for (let y = 0; y < fine.height; y++) {
    for (let x = 0; x < fine.width; x++) {
      const isSet = fine.pixels[y * fine.width + x] === 1;
      const place = Math.floor(y / coarse.step) * coarse.width + Math.floor(x / coarse.step);
      if (isSet) expect(coarse.pixels[place]).toBe(1);
    }
  }
});

it("finds the rim", () => {
  const raster = { width: 3, height: 3, pixels: new Uint8Array(9).fill(1), step: 1 };
  expect(isRim(raster, 1, 1)).toBe(false);
  expect(isRim(raster, 0, 1)).toBe(true);
});
