/** The scene's pixels as a coordinate system of OpenLayers, whose y points up: row y of the scene lies at -y. */

import Projection from "ol/proj/Projection";
import TileGrid from "ol/tilegrid/TileGrid";
import type { Scene } from "../http/types";
import type { Vertex } from "../model/marks";

type Size = Pick<Scene, "width" | "height" | "tile_size" | "max_zoom">;

export function extentOf({ width, height }: Pick<Scene, "width" | "height">): [number, number, number, number] {
  return [0, -height, width, 0];
}

export function projectionOf(scene: Size): Projection {
  return new Projection({ code: "scene-pixels", units: "pixels", extent: extentOf(scene) });
}

/** At the last zoom a tile's pixel is one of the scene; each zoom before it halves the scene. */
export function tileGridOf(scene: Size): TileGrid {
  const resolutions = Array.from({ length: scene.max_zoom + 1 }, (_, zoom) => 2 ** (scene.max_zoom - zoom));
  return new TileGrid({ extent: extentOf(scene), origin: [0, 0], resolutions, tileSize: scene.tile_size });
}

export function toMap([x, y]: Vertex): [number, number] {
  return [x, -y];
}

export function toPixel(coordinate: readonly number[]): [number, number] {
  return [coordinate[0] ?? 0, -(coordinate[1] ?? 0)];
}
