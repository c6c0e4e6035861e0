/** Marks as geometries of OpenLayers, and what was drawn as marks. */

import type { Coordinate } from "ol/coordinate";
import Circle from "ol/geom/Circle";
import type Geometry from "ol/geom/Geometry";
import LineString from "ol/geom/LineString";
import Point from "ol/geom/Point";
import Polygon from "ol/geom/Polygon";
import { outline, rounded, type Kind, type Mark, type Vertex } from "../model/marks";
import { toMap, toPixel } from "./pixel_space";

export function geometryOf(mark: Mark): Geometry {
  const vertices = outline(mark).map(toMap);
  if (mark.kind === "point") return new Point(vertices[0] ?? [0, 0]);
  if (mark.kind === "scribble") return new LineString(vertices);
  return new Polygon([[...vertices, vertices[0] ?? [0, 0]]]);
}

/** What the pen left, as a mark; null where it is of another form than this kind. */
export function markOf(kind: Kind, geometry: Geometry): Mark | null {
  if (geometry instanceof Point) return { kind: "point", coordinates: pixel(geometry.getCoordinates()) };
  if (geometry instanceof Circle) {
    const radius = rounded(geometry.getRadius());
    return { kind: "ellipse", coordinates: [...pixel(geometry.getCenter()), radius, radius] };
  }
  if (geometry instanceof LineString) return { kind: "scribble", coordinates: geometry.getCoordinates().map(pixel) };
  if (!(geometry instanceof Polygon)) return null;
  if (kind === "box") {
    const [left, bottom, right, top] = geometry.getExtent();
    return { kind, coordinates: [...pixel([left ?? 0, top ?? 0]), ...pixel([right ?? 0, bottom ?? 0])] };
  }
  const ring = (geometry.getCoordinates()[0] ?? []).map(pixel);
  return { kind: "polygon", coordinates: ring.slice(0, -1) }; // the last vertex repeats the first
}

function pixel(coordinate: Coordinate): Vertex {
  const [x, y] = toPixel(coordinate);
  return [rounded(x), rounded(y) + 0]; // no minus zero
}
