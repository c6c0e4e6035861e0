/** A file of marks: GeoJSON text comes in, the features that the server is to place go out, or why there are none. */

export interface DrawnFeatures {
  /** What the server's `marks` takes. */
  readonly collection: Readonly<Record<string, unknown>>;
  /** One a feature, in the file's order; empty where it has no name. */
  readonly labels: readonly string[];
}

type Members = Readonly<Record<string, unknown>>;

const KINDS = ["Point", "LineString", "Polygon"];
const MAX_LABEL = 60;

/**
 * @param numDrawn marks that are on the scene already.
 * @param mostMarks that one question carries.
 * @returns the features, or a sentence for the user. Features of the role "mask" are answers, and passed over.
 */
export function readFeatures(text: string, numDrawn: number, mostMarks: number): DrawnFeatures | string {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return "It is not JSON, and so not GeoJSON.";
  }
  const all = featuresOf(content);
  if (all === null) return "It is not GeoJSON: a FeatureCollection, a Feature or a geometry is wanted.";
  const features = all.filter((feature) => membersOf(membersOf(feature)?.properties)?.role !== "mask");
  if (features.length === 0) return `It holds ${all.length} features and 0 marks.`;
  if (features.length > mostMarks) return `It holds ${features.length} marks; one question carries at most ${mostMarks}.`;
  if (features.length + numDrawn > mostMarks) {
    return `It holds ${features.length} marks and ${numDrawn} are drawn already; one question carries at most ${mostMarks}.`;
  }
  for (const [index, feature] of features.entries()) {
    const refusal = refusalOf(feature);
    if (refusal !== null) return `Feature ${index + 1} ${refusal}.`;
  }
  // A "crs" goes along: the server refuses one that it does not take.
  const crs = membersOf(content)?.crs;
  return { collection: { type: "FeatureCollection", features: features.map(bare), ...(crs === undefined ? {} : { crs }) }, labels: features.map(labelOf) };
}

function featuresOf(content: unknown): unknown[] | null {
  const members = membersOf(content);
  if (members === null) return null;
  if (members.type === "FeatureCollection") return Array.isArray(members.features) ? members.features : null;
  if (members.type === "Feature") return [members];
  return "coordinates" in members || "geometries" in members ? [{ type: "Feature", properties: {}, geometry: members }] : null;
}

function refusalOf(feature: unknown): string | null {
  const geometry = membersOf(membersOf(feature)?.geometry);
  if (geometry === null) return "has no geometry";
  const { type, coordinates } = geometry;
  if (typeof type !== "string" || !KINDS.includes(type)) {
    return `is a ${typeof type === "string" ? type.slice(0, 40) : "geometry without a type"}; a mark is one Point, LineString or Polygon`;
  }
  if (!Array.isArray(coordinates) || coordinates.length === 0) return "is empty";
  const numHoles = coordinates.length - 1;
  if (type === "Polygon" && numHoles > 0) return `has ${numHoles} ${numHoles === 1 ? "hole" : "holes"}; a mark has 0`;
  return null;
}

/** Only what the server reads of it: where its coordinates say themselves what they are, they are believed. */
function bare(feature: unknown): Members {
  const { geometry, properties } = feature as Members;
  const stated = membersOf(properties)?.coordinates;
  return { type: "Feature", geometry, properties: typeof stated === "string" ? { coordinates: stated } : {} };
}

function labelOf(feature: unknown): string {
  const properties = membersOf(membersOf(feature)?.properties);
  const label = properties?.label ?? properties?.name;
  return typeof label === "string" ? label.trim().slice(0, MAX_LABEL) : "";
}

function membersOf(value: unknown): Members | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : null;
}
