/** The map: the scene's tiles, the masks of the open answer, the marks, and the region under the pointer. */

import Feature from "ol/Feature";
import OlMap from "ol/Map";
import View from "ol/View";
import { defaults as controls } from "ol/control/defaults";
import { defaults as interactions } from "ol/interaction/defaults";
import type ImageLayer from "ol/layer/Image";
import TileLayer from "ol/layer/Tile";
import VectorLayer from "ol/layer/Vector";
import ImageTile from "ol/source/ImageTile";
import type ImageCanvasSource from "ol/source/ImageCanvas";
import VectorSource from "ol/source/Vector";
import { ApiError, ServerGone } from "../http/api";
import type { Scene } from "../http/types";
import { bounds, markFromJson, type Mark, type PlacedMark, type Vertex } from "../model/marks";
import { colourOf } from "../model/palette";
import type { Studio } from "../model/studio";
import { maskLayer } from "./mask_layer";
import { styleOf, type Look } from "./mark_style";
import { extentOf, projectionOf, tileGridOf, toMap, toPixel } from "./pixel_space";
import { geometryOf } from "./shapes";
import { Reshape } from "./reshape";
import { Tools } from "./tools";

const CLOSEST = 1 / 24; // scene pixels a screen pixel
const PADDING = [56, 56, 56, 72];

export class SceneView {
  readonly map: OlMap;
  readonly tools: Tools;
  readonly reshape: Reshape;
  private readonly tiles = new TileLayer<ImageTile>({});
  private readonly markSource = new VectorSource();
  private readonly hoverSource = new VectorSource();
  private wasLost = false;
  private masks: (ImageLayer<ImageCanvasSource> | null)[] = [];

  constructor(
    private readonly target: HTMLElement,
    private readonly studio: Studio,
    onPointer: (pixel: Vertex | null, resolution: number) => void,
  ) {
    const marks = new VectorLayer({ source: this.markSource, style: styleOf, zIndex: 20, declutter: false });
    const hover = new VectorLayer({ source: this.hoverSource, style: styleOf, zIndex: 30 });
    this.map = new OlMap({
      target,
      layers: [this.tiles, marks, hover],
      controls: controls({ zoom: false, rotate: false, attribution: false }),
      interactions: interactions({
        altShiftDragRotate: false, pinchRotate: false, dragPan: false, doubleClickZoom: false, shiftDragZoom: false,
        keyboard: false,
      }),
    });
    this.tools = new Tools(this.map, target, studio, marks);
    this.reshape = new Reshape(this.map, target, studio, this.markSource, this.tools.hand);
    this.map.on("pointermove", (event) => {
      onPointer(toPixel(event.coordinate), this.resolution);
      if (!event.dragging) this.point(event.pixel);
    });
    target.addEventListener("pointerleave", () => { onPointer(null, this.resolution); studio.hover(null); });
    this.map.on("singleclick", (event) => {
      if (studio.tool !== "select" || this.reshape.isOver(event.pixel)) return;
      studio.drawing.select(this.markAt(event.pixel)?.id ?? null);
    });
    this.map.on("moveend", () => { onPointer(null, this.resolution); });
    studio.topics.on(["scene"], () => { this.openScene(studio.scene); });
    studio.topics.on(["display"], () => { this.loadTiles(); });
    studio.topics.on(["connection"], () => { this.loadAfterLoss(); });
    studio.topics.on(["marks", "selection", "answers", "layers"], () => { this.drawMarks(); });
    studio.topics.on(["hover"], () => { this.drawMarks(); this.drawHover(); });
    studio.topics.on(["layers"], () => { this.drawMasks(); });
  }

  get resolution(): number {
    return this.map.getView().getResolution() ?? 1;
  }

  /** The middle of what is seen, in scene pixels. */
  get centre(): Vertex {
    return toPixel(this.map.getView().getCenter() ?? [0, 0]);
  }

  /** Half of a usual mark's width in what is seen now. */
  get reach(): number {
    return 60 * this.resolution;
  }

  fit(): void {
    if (this.studio.scene === null) return;
    this.map.getView().fit(extentOf(this.studio.scene), { padding: this.padding, duration: 200 });
  }

  zoom(by: number): void {
    const view = this.map.getView();
    view.animate({ zoom: (view.getZoom() ?? 0) + by, duration: 150 });
  }

  pan(dx: number, dy: number): void {
    const view = this.map.getView();
    const [x, y] = view.getCenter() ?? [0, 0];
    view.animate({ center: [(x ?? 0) + dx * this.resolution, (y ?? 0) - dy * this.resolution], duration: 100 });
  }

  /** Brings a mark into view where it is not. */
  reveal(mark: Mark): void {
    const { x0, y0, x1, y1 } = bounds(mark);
    const view = this.map.getView();
    const [left, bottom, right, top] = view.calculateExtent(this.map.getSize());
    const isSeen = x0 < (right ?? 0) && x1 > (left ?? 0) && -y1 < (top ?? 0) && -y0 > (bottom ?? 0);
    if (!isSeen) view.animate({ center: toMap([(x0 + x1) / 2, (y0 + y1) / 2]), duration: 200 });
  }

  private get padding(): number[] {
    return (this.map.getSize()?.[0] ?? 0) < 600 ? [52, 12, 24, 12] : PADDING;
  }

  private openScene(scene: Scene | null): void {
    if (scene === null) {
      this.tiles.setSource(null);
      return;
    }
    const extent = extentOf(scene);
    const projection = projectionOf(scene);
    const [width = 800, height = 600] = this.map.getSize() ?? [];
    const farthest = 2 * Math.max(scene.width / Math.max(width, 1), scene.height / Math.max(height, 1), CLOSEST * 4);
    this.map.setView(
      new View({
        projection, extent, constrainOnlyCenter: true, minResolution: CLOSEST, maxResolution: farthest,
        center: [scene.width / 2, -scene.height / 2], resolution: farthest / 2, enableRotation: false,
      }),
    );
    this.map.getView().fit(extent, { padding: this.padding });
    this.loadTiles();
  }

  /** Tiles that failed while the server was gone or locked are asked for again. */
  private loadAfterLoss(): void {
    const { connection } = this.studio;
    const isLost = connection === "gone" || connection === "locked";
    if (this.wasLost && !isLost) this.loadTiles();
    this.wasLost = isLost;
  }

  private loadTiles(): void {
    const { scene, display, api } = this.studio;
    if (scene === null) return;
    const query = tileQuery(display);
    this.tiles.setSource(
      new ImageTile({
        projection: projectionOf(scene),
        tileGrid: tileGridOf(scene),
        interpolate: display.isSmooth,
        wrapX: false,
        transition: 120,
        // Loaded with the token in a header, which an address must not hold.
        loader: async (z, x, y, { signal }) => {
          try {
            return await api.picture(`/scenes/${scene.id}/tiles/${z}/${x}/${y}.png${query}`, signal);
          } catch (error) {
            if (concernsThePage(error)) await this.studio.guarded(() => Promise.reject(error));
            throw error;
          }
        },
      }),
    );
  }

  private drawMarks(): void {
    const { drawing, hovered } = this.studio;
    const kept = new Set(drawing.marks.map(({ id }) => id));
    for (const feature of this.markSource.getFeatures()) {
      if (!kept.has(String(feature.getId()))) this.markSource.removeFeature(feature);
    }
    drawing.marks.forEach((placed, index) => {
      const number = index + 1;
      const label = shortened(placed.label || this.saidOf(placed.mark, number));
      const isSelected = placed.id === drawing.selected;
      this.featureOf(placed).set("look", { number, label, isSelected, isHovered: number === hovered } satisfies Look);
    });
  }

  /** What the open answer calls a mark, or else the latest one that gives it a name. */
  private saidOf(mark: Mark, number: number): string {
    const { open, answers } = this.studio;
    const regions = [...answers, ...(open === null ? [] : [open])].toReversed().flatMap((answer) => answer.regions);
    const said = regions.find((region) => region.number === number && region.label !== "" && sameMark(markFromJson(region.mark), mark));
    return said?.label ?? "";
  }

  /** The mark's feature, kept while the hand holds it and given a new geometry only where the mark is new. */
  private featureOf({ id, mark }: PlacedMark): Feature {
    let feature = this.markSource.getFeatureById(id);
    if (feature === null) {
      feature = new Feature();
      feature.setId(id);
      feature.set("look", { number: 1, label: "", isSelected: false, isHovered: false } satisfies Look);
      feature.setGeometry(geometryOf(mark));
      this.markSource.addFeature(feature);
    } else if (feature.get("mark") !== mark) {
      feature.setGeometry(geometryOf(mark));
    }
    feature.set("mark", mark);
    return feature;
  }

  /** The region an answer speaks of, where the user has moved or removed its mark since. */
  private drawHover(): void {
    const { hovered, drawing } = this.studio;
    this.hoverSource.clear(true);
    const asked = hovered === null ? null : this.askedMark(hovered);
    if (hovered === null || asked === null) return;
    const current = drawing.marks[hovered - 1]?.mark;
    if (current !== undefined && sameMark(asked, current)) return;
    const feature = new Feature(geometryOf(asked));
    feature.set("look", { number: hovered, label: "", isSelected: false, isHovered: true } satisfies Look);
    this.hoverSource.addFeature(feature);
  }

  private askedMark(number: number): Mark | null {
    const { open, pending } = this.studio;
    if (pending !== null) return pending.marks[number - 1]?.mark ?? null;
    return markFromJson(open?.regions.find((region) => region.number === number)?.mark);
  }

  private drawMasks(): void {
    const { open, layers } = this.studio;
    if (this.map.get("masks") !== (open?.id ?? "")) {
      this.replaceMasks();
      this.map.set("masks", open?.id ?? "");
    }
    this.masks.forEach((layer, index) => {
      layer?.setVisible(layers[index]?.isShown ?? true);
      layer?.setOpacity(layers[index]?.opacity ?? 1);
    });
  }

  private replaceMasks(): void {
    for (const layer of this.masks) if (layer !== null) this.map.removeLayer(layer);
    const { scene, open } = this.studio;
    if (scene === null || open === null) {
      this.masks = [];
      return;
    }
    const projection = projectionOf(scene);
    this.masks = open.masks.map((mask, index) =>
      maskLayer(mask, maskColour(open.regions.length, mask.region, index), projection),
    );
    for (const layer of this.masks) {
      if (layer === null) continue;
      layer.setZIndex(10);
      this.map.addLayer(layer);
    }
  }

  private point(pixel: number[]): void {
    const found = this.markAt(pixel);
    this.studio.hover(found?.number ?? null);
    this.target.classList.toggle("over-mark", found !== null && this.studio.tool === "select");
  }

  private markAt(pixel: number[]): { id: string; number: number } | null {
    const found = this.map.forEachFeatureAtPixel(pixel, (feature) => feature, {
      layerFilter: (layer) => layer.getSource() === this.markSource,
      hitTolerance: 5,
    });
    return found === undefined ? null : { id: String(found.getId()), number: (found.get("look") as Look).number };
  }
}

/** A server that is gone, a token that is taken no more and a scene that has expired show in tiles first. */
function concernsThePage(error: unknown): error is ServerGone | ApiError {
  return error instanceof ServerGone || (error instanceof ApiError && (error.status === 401 || error.code === "unknown_scene"));
}

/** A bound mask has its region's colour; others take the colours after the last region's. */
export function maskColour(numRegions: number, region: number | null, index: number): string {
  return colourOf(region !== null && region <= numRegions ? region : numRegions + index + 1);
}

export function tileQuery({ low, high, bands }: Studio["display"]): string {
  const query = new URLSearchParams();
  if (low !== null) query.set("low", String(low));
  if (high !== null) query.set("high", String(high));
  if (bands !== null) query.set("bands", bands.join(","));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function sameMark(a: Mark | null, b: Mark): boolean {
  return a !== null && JSON.stringify(a) === JSON.stringify(b);
}

function shortened(text: string): string {
  return text.length > 28 ? `${text.slice(0, 27)}…` : text;
}
