/** The handles of the selected mark: the pointer pulls them, and what is pulled is seen before it is let go. */

import Feature from "ol/Feature";
import type OlMap from "ol/Map";
import type MapBrowserEvent from "ol/MapBrowserEvent";
import Point from "ol/geom/Point";
import PointerInteraction from "ol/interaction/Pointer";
import type Translate from "ol/interaction/Translate";
import VectorLayer from "ol/layer/Vector";
import VectorSource from "ol/source/Vector";
import { gapsOf, handlesOf, pulled, type Handle } from "../model/handles";
import { bounds, type Mark, type PlacedMark, type Vertex } from "../model/marks";
import { colourOf } from "../model/palette";
import type { Studio } from "../model/studio";
import { handleStyle, type HandleLook } from "./handle_style";
import { toMap, toPixel } from "./pixel_space";
import { geometryOf } from "./shapes";

// Screen pixels.
const REACH = 9;
const FINGER_REACH = 20;
const GAP_ROOM = 30; // where two vertices lie closer, no gap is offered between them
const SMALLEST = 26; // a mark that looks smaller shows one handle, or none of it would be left to move it by
const STILL = 2; // a hand that moves less has clicked

/** What the pointer has hold of. */
interface Pull {
  readonly placed: PlacedMark;
  readonly handle: Handle;
  readonly from: readonly number[];
  /** The mark as it is now; null while the pointer has not moved. */
  readonly now: Mark | null;
}

export class Reshape {
  private readonly source = new VectorSource<Feature<Point>>();
  private pull: Pull | null = null;

  constructor(
    private readonly map: OlMap,
    private readonly target: HTMLElement,
    private readonly studio: Studio,
    private readonly marks: VectorSource,
    hand: Translate,
  ) {
    const layer = new VectorLayer({ source: this.source, style: handleStyle, zIndex: 25, updateWhileInteracting: true });
    map.addLayer(layer);
    hand.on("translatestart", () => { layer.setVisible(false); }); // they would stay behind the mark
    hand.on("translateend", () => { layer.setVisible(true); });
    map.addInteraction(
      new PointerInteraction({
        handleDownEvent: (event) => this.take(event),
        handleDragEvent: (event) => { this.follow(event); },
        handleUpEvent: (event) => { this.let(event); return false; },
        handleMoveEvent: (event) => { this.point(event.pixel); },
      }),
    );
    map.on("moveend", () => { this.draw(); }); // gaps come and go with the zoom
    studio.topics.on(["marks", "selection", "tool", "scene"], () => {
      if (this.pull !== null && !studio.drawing.marks.includes(this.pull.placed)) {
        marks.getFeatureById(this.pull.placed.id)?.unset("mark", true); // changed under the hand: drawn anew
        this.pull = null;
      }
      this.draw();
    });
  }

  get isPulling(): boolean {
    return this.pull !== null;
  }

  /** Lets go without a change. */
  abort(): void {
    const { pull } = this;
    this.pull = null;
    if (pull !== null) this.showMark(pull.placed, pull.placed.mark);
    this.draw();
  }

  /** True where a handle lies under this place on the screen. */
  isOver(pixel: readonly number[]): boolean {
    return this.handleAt(pixel, REACH) !== null;
  }

  private take({ originalEvent, pixel }: MapBrowserEvent): boolean {
    if (!(originalEvent instanceof PointerEvent) || !originalEvent.isPrimary || originalEvent.button !== 0) return false;
    const { drawing } = this.studio;
    const placed = drawing.chosen;
    const handle = this.handleAt(pixel, originalEvent.pointerType === "touch" ? FINGER_REACH : REACH);
    if (placed === null || handle === null) return false;
    if (originalEvent.altKey && !handle.isGap && drawing.removeVertex(handle.place)) return false;
    this.pull = { placed, handle, from: pixel, now: null };
    return true;
  }

  private follow({ pixel, coordinate }: MapBrowserEvent): void {
    const { pull } = this;
    if (pull === null || (pull.now === null && distance(pixel, pull.from) < STILL)) return;
    const now = pulled(pull.placed.mark, pull.handle, toPixel(coordinate));
    this.pull = { ...pull, now };
    this.showMark(pull.placed, now);
    this.draw();
  }

  private let({ originalEvent }: MapBrowserEvent): void {
    const { pull } = this;
    this.pull = null;
    if (pull === null) return;
    const { placed, handle } = pull;
    const { drawing } = this.studio;
    if (originalEvent.type === "pointercancel") {
      this.showMark(placed, placed.mark);
      return;
    }
    this.marks.getFeatureById(placed.id)?.unset("mark", true); // whatever becomes of it, its geometry is drawn anew
    const mark = pull.now ?? (handle.isGap ? pulled(placed.mark, handle, handle.at) : null);
    if (mark !== null) drawing.reshape(placed.id, mark);
    const isVertex = placed.mark.kind === "polygon" || placed.mark.kind === "scribble";
    drawing.hold(isVertex || mark === null ? handle.place : null);
  }

  private point(pixel: readonly number[]): void {
    const handle = this.pull?.handle ?? this.handleAt(pixel, REACH);
    this.target.style.cursor = handle?.cursor ?? "";
  }

  private handleAt(pixel: readonly number[], reach: number): Handle | null {
    let nearest: Handle | null = null;
    let least = reach;
    for (const handle of this.offered(this.studio.drawing.chosen?.mark ?? null)) {
      const at = this.map.getPixelFromCoordinate(toMap(handle.at)) as number[] | null;
      if (at === null) continue;
      const away = distance(at, pixel) + (handle.isGap ? 0.5 : 0); // a vertex goes before the gap beside it
      if (away <= least) [nearest, least] = [handle, away];
    }
    return nearest;
  }

  /** Handles, and gaps where there is room for them; none with a pen in hand. */
  private offered(mark: Mark | null): Handle[] {
    if (mark === null || this.studio.tool !== "select") return [];
    const resolution = this.map.getView().getResolution() ?? 1;
    const handles = handlesOf(mark);
    const room = (GAP_ROOM / 2) * resolution;
    const { x0, y0, x1, y1 } = bounds(mark);
    const isSmall = Math.max(x1 - x0, y1 - y0) < SMALLEST * resolution;
    if (mark.kind === "box") {
      if (isSmall) return handles.slice(2, 3);
      // A side's middle lies half its length from the corners.
      return handles.filter(({ place }) => place < 4 || (place % 2 === 0 ? x1 - x0 : y1 - y0) >= 2 * room);
    }
    if (mark.kind === "ellipse") return isSmall ? handles.slice(1, 2) : handles.slice(x1 - x0 < 4 * room ? 1 : 0);
    return [...handles, ...gapsOf(mark).filter(({ at, place }) => distance(at, handles[place - 1]?.at ?? at) >= room)];
  }

  private draw(): void {
    const { drawing } = this.studio;
    const { chosen } = drawing;
    this.source.clear(true);
    if (chosen === null) {
      this.source.changed();
      return;
    }
    const colour = colourOf(drawing.marks.indexOf(chosen) + 1);
    const held = this.pull === null ? drawing.handle?.place : undefined;
    const features = this.offered(this.pull?.now ?? chosen.mark).map(({ at, isGap, place }) => {
      const feature = new Feature(new Point(toMap(at)));
      feature.set("look", { colour, isGap, isHeld: !isGap && place === held } satisfies HandleLook);
      return feature;
    });
    this.source.addFeatures(features);
    this.source.changed();
  }

  private showMark(placed: PlacedMark, mark: Mark): void {
    this.marks.getFeatureById(placed.id)?.setGeometry(geometryOf(mark));
  }
}

function distance([x0 = 0, y0 = 0]: readonly number[] | Vertex, [x1 = 0, y1 = 0]: readonly number[] | Vertex): number {
  return Math.hypot(x1 - x0, y1 - y0);
}
