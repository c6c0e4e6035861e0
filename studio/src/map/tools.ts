/** The pens and the hand: what the pointer does on the map with each tool. */

import type OlMap from "ol/Map";
import type MapBrowserEvent from "ol/MapBrowserEvent";
import { primaryAction } from "ol/events/condition";
import type Geometry from "ol/geom/Geometry";
import Polygon from "ol/geom/Polygon";
import DragPan from "ol/interaction/DragPan";
import Draw, { createBox, type GeometryFunction } from "ol/interaction/Draw";
import Translate from "ol/interaction/Translate";
import type VectorLayer from "ol/layer/Vector";
import { crossingSentence } from "../model/crossing";
import type { Kind, Vertex } from "../model/marks";
import type { Studio, Tool } from "../model/studio";
import { penStyle } from "./mark_style";
import { markOf } from "./shapes";

/** "Circle" is the pen whose drag has a centre and an end; a box is made of its two points. */
const PENS: Record<Kind, { type: "Point" | "Circle" | "Polygon" | "LineString"; isDragged: boolean; shape?: GeometryFunction }> = {
  point: { type: "Point", isDragged: false },
  box: { type: "Circle", isDragged: true, shape: createBox() },
  ellipse: { type: "Circle", isDragged: true },
  polygon: { type: "Polygon", isDragged: false },
  scribble: { type: "LineString", isDragged: true },
};

export class Tools {
  private pen: Draw | null = null;
  /** Moves whole marks. */
  readonly hand: Translate;
  private isSpaceHeld = false;

  constructor(
    private readonly map: OlMap,
    private readonly target: HTMLElement,
    private readonly studio: Studio,
    layer: VectorLayer,
  ) {
    this.hand = this.movingHand(layer);
    map.addInteraction(new DragPan({ condition: (event) => this.isPanning(event) }));
    map.addInteraction(this.hand); // the last one is asked first: a mark under the pointer moves, not the map
    target.addEventListener("keydown", (event) => { this.holdSpace(event, true); });
    window.addEventListener("keyup", (event) => { this.holdSpace(event, false); });
    window.addEventListener("blur", () => { this.isSpaceHeld = false; }); // its release would be heard elsewhere
    studio.topics.on(["tool", "marks", "scene"], () => { this.take(studio.tool); });
  }

  /** True while a shape is half drawn. */
  get isDrawing(): boolean {
    return (this.pen?.getOverlay().getSource()?.getFeatures().length ?? 0) > 1;
  }

  /** Drops the half-drawn shape. */
  abort(): void {
    this.pen?.abortDrawing();
  }

  /** Closes a polygon. */
  finish(): void {
    this.pen?.finishDrawing();
  }

  undoVertex(): void {
    this.pen?.removeLastPoint();
  }

  private take(tool: Tool): void {
    if (this.pen !== null) this.map.removeInteraction(this.pen);
    this.studio.judgeSketch(null);
    this.pen = null;
    this.hand.setActive(tool === "select");
    this.target.dataset.tool = tool;
    if (tool === "select" || this.studio.scene === null) return;
    const { type, isDragged, shape } = PENS[tool];
    const isFree = (event: MapBrowserEvent): boolean => isPrimary(event) && !this.isSpaceHeld;
    this.pen = new Draw({
      type,
      ...(shape ? { geometryFunction: shape } : {}),
      condition: (event) => !isDragged && isFree(event),
      freehandCondition: (event) => isDragged && isFree(event),
      style: penStyle(this.studio.drawing.marks.length + 1),
      stopClick: true,
    });
    this.pen.on("drawstart", ({ feature }) => {
      const geometry = feature.getGeometry();
      geometry?.on("change", () => { this.studio.judgeSketch(sketchProblem(tool, geometry)); });
    });
    this.pen.on("drawabort", () => { this.studio.judgeSketch(null); });
    this.pen.on("drawend", ({ feature }) => {
      this.studio.judgeSketch(null);
      const mark = markOf(tool, this.thinned(tool, feature.getGeometry()));
      // The pen still works on its event; the change of marks takes it from the map.
      queueMicrotask(() => { if (mark !== null) this.studio.drawing.add(mark); });
    });
    this.map.addInteraction(this.pen);
  }

  /** A stroke without the vertices that no eye could tell apart on this screen. */
  private thinned(tool: Kind, geometry: Geometry | undefined): Geometry {
    if (geometry === undefined) throw new Error("the pen ended without a shape");
    const tolerance = (this.map.getView().getResolution() ?? 1) / 2;
    return tool === "scribble" ? geometry.simplify(tolerance) : geometry;
  }

  private movingHand(layer: VectorLayer): Translate {
    const hand = new Translate({ layers: [layer], hitTolerance: 5, condition: primaryAction });
    hand.on("translatestart", ({ features }) => {
      this.studio.drawing.select(String(features.item(0).getId()));
    });
    hand.on("translateend", ({ features, startCoordinate, coordinate }) => {
      const dx = (coordinate[0] ?? 0) - (startCoordinate[0] ?? 0);
      const dy = (coordinate[1] ?? 0) - (startCoordinate[1] ?? 0);
      const feature = features.item(0);
      const id = String(feature.getId());
      feature.unset("mark", true); // whatever becomes of the move, its geometry is drawn anew
      if (dx !== 0 || dy !== 0) queueMicrotask(() => { this.studio.drawing.move(id, dx, -dy); });
    });
    return hand;
  }

  /** The hand pans where no mark lies; with a pen in hand, so do the space bar and the middle button. */
  private isPanning({ originalEvent }: MapBrowserEvent): boolean {
    if (!(originalEvent instanceof PointerEvent)) return false;
    if (originalEvent.pointerType === "mouse" && originalEvent.button === 1) return true;
    return originalEvent.isPrimary && (this.studio.tool === "select" || this.isSpaceHeld);
  }

  private holdSpace(event: KeyboardEvent, isDown: boolean): void {
    if (event.code !== "Space") return;
    if (isDown) event.preventDefault(); // the page would scroll
    this.isSpaceHeld = isDown;
  }
}

/** The ring in hand ends with the pointer and its first corner; the edge between those two may still go anywhere. */
function sketchProblem(tool: Kind, geometry: Geometry): string | null {
  if (tool !== "polygon" || !(geometry instanceof Polygon)) return null;
  const ring = (geometry.getCoordinates()[0] ?? []) as unknown as Vertex[];
  return crossingSentence(ring.slice(0, -1), false);
}

/** The first finger, the pen or the left button, pressed or, as -1, on its way. */
function isPrimary({ originalEvent }: MapBrowserEvent): boolean {
  return originalEvent instanceof PointerEvent && originalEvent.isPrimary && originalEvent.button <= 0;
}
