import { expect, it } from "vitest";
import { readFeatures } from "../src/model/geojson";

const POINT = { type: "Point", coordinates: [4, 51] };
const RING = [[0, 0], [4, 0], [0, 4], [0, 0]];

function feature(geometry: unknown, properties: unknown = {}): unknown {
  return { type: "Feature", geometry, properties };
}
function collection(...features: unknown[]): string {
  return JSON.stringify({ type: "FeatureCollection", features });
}

it("takes collections, features and geometries, with the names they have", () => {
  const read = readFeatures(collection(feature(POINT, { label: " quay ", secret: 1 }), feature(POINT, { name: "ship" }), feature(POINT, null)), 0, 64);
  expect(read).toMatchObject({ labels: ["quay", "ship", ""], collection: { type: "FeatureCollection" } });
  expect(JSON.stringify(read)).not.toContain("secret");
  expect(readFeatures(JSON.stringify(feature(POINT)), 0, 64)).toMatchObject({ labels: [""] });
  expect(readFeatures(JSON.stringify(POINT), 0, 64)).toMatchObject({ labels: [""] });
});

it("passes over the masks of an answer, and lets features say what their coordinates are", () => {
  const text = collection(
    feature(POINT, { coordinates: "pixels" }),
    feature({ type: "MultiPolygon", coordinates: [[RING]] }, { role: "mask" }),
  );
  expect(readFeatures(text, 0, 1)).toEqual({
    labels: [""],
    collection: { type: "FeatureCollection", features: [{ type: "Feature", geometry: POINT, properties: { coordinates: "pixels" } }] },
  });
});

it("sends a coordinate system along, for the server to judge", () => {
  const text = JSON.stringify({ type: "FeatureCollection", crs: { name: "EPSG:28992" }, features: [feature(POINT)] });
  expect(readFeatures(text, 0, 64)).toMatchObject({ collection: { crs: { name: "EPSG:28992" } } });
});

it.each([
  ["no JSON", "<kml/>", "It is not JSON, and so not GeoJSON."],
  ["NaN", '{"type": "Point", "coordinates": [NaN, 1]}', "It is not JSON, and so not GeoJSON."],
  ["other JSON", "[1, 2]", "It is not GeoJSON: a FeatureCollection, a Feature or a geometry is wanted."],
  ["a collection without features", '{"type": "FeatureCollection"}', "It is not GeoJSON: a FeatureCollection, a Feature or a geometry is wanted."],
  ["nothing", collection(), "It holds 0 features and 0 marks."],
  ["no geometry", collection(feature(null)), "Feature 1 has no geometry."],
  ["no feature", collection(7), "Feature 1 has no geometry."],
  ["several parts", collection(feature({ type: "MultiPolygon", coordinates: [[RING]] })), "Feature 1 is a MultiPolygon; a mark is one Point, LineString or Polygon."],
  ["a mixture", JSON.stringify({ type: "GeometryCollection", geometries: [POINT] }), "Feature 1 is a GeometryCollection; a mark is one Point, LineString or Polygon."],
  ["a hole", collection(feature({ type: "Polygon", coordinates: [RING, RING] })), "Feature 1 has 1 hole; a mark has 0."],
  ["emptiness", collection(feature({ type: "Polygon", coordinates: [] })), "Feature 1 is empty."],
  ["too many", collection(...Array.from({ length: 5 }, () => feature(POINT))), "It holds 5 marks; one question carries at most 4."],
  ["too many with those drawn", collection(feature(POINT), feature(POINT)), "It holds 2 marks and 3 are drawn already; one question carries at most 4."],
])("refuses %s", (_, text, sentence) => {
  expect(readFeatures(text, 3, 4)).toBe(sentence);
});
