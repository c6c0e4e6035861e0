/** How a mark looks: a dark rim under a bright line, its number on a plate, thicker while it is chosen. */

import type { FeatureLike } from "ol/Feature";
import type Geometry from "ol/geom/Geometry";
import Point from "ol/geom/Point";
import Circle from "ol/style/Circle";
import Fill from "ol/style/Fill";
import Stroke from "ol/style/Stroke";
import Style from "ol/style/Style";
import Text from "ol/style/Text";
import { colourOf, INK } from "../model/palette";

export interface Look {
  readonly number: number;
  readonly label: string;
  readonly isSelected: boolean;
  readonly isHovered: boolean;
}

const FONT = "600 12px system-ui, sans-serif";

export function styleOf(feature: FeatureLike): Style[] {
  const look = feature.get("look") as Look;
  const geometry = feature.getGeometry() as Geometry;
  const colour = colourOf(look.number);
  const isStrong = look.isSelected || look.isHovered;
  const styles = [
    line(look.isSelected ? "#ffffff" : INK, isStrong ? 7 : 5, look.isSelected ? 0.9 : 0.65),
    new Style({
      stroke: new Stroke({ color: colour, width: isStrong ? 3 : 2 }),
      // Hardly seen, but the pointer finds the inside of a mark.
      fill: new Fill({ color: colour + (look.isHovered ? "40" : "0d") }),
      image: disc(colour, look.isSelected ? "#ffffff" : INK, isStrong ? 8 : 6),
    }),
  ];
  return [...styles, plate(look, geometry, colour)];
}

/** The pen's own line while it draws. */
export function penStyle(number: number): Style[] {
  const colour = colourOf(number);
  return [
    line(INK, 5, 0.65),
    new Style({
      stroke: new Stroke({ color: colour, width: 2, lineDash: [6, 4] }),
      fill: new Fill({ color: colour + "1f" }),
      image: disc(colour, INK, 5),
    }),
  ];
}

function line(colour: string, width: number, opacity: number): Style {
  const alpha = Math.round(opacity * 255).toString(16).padStart(2, "0");
  return new Style({ stroke: new Stroke({ color: colour + alpha, width, lineJoin: "round" }) });
}

function disc(colour: string, rim: string, radius: number): Circle {
  return new Circle({ radius, fill: new Fill({ color: colour }), stroke: new Stroke({ color: rim, width: 2 }) });
}

function plate(look: Look, geometry: Geometry, colour: string): Style {
  const [left, , right, top] = geometry.getExtent();
  const isPoint = geometry instanceof Point;
  const words = look.label === "" ? `${look.number}` : `${look.number}  ${look.label}`;
  return new Style({
    geometry: new Point([isPoint ? (right ?? 0) : (left ?? 0), top ?? 0]),
    text: new Text({
      text: words,
      font: FONT,
      textAlign: "left",
      textBaseline: "bottom",
      offsetX: isPoint ? 13 : 4,
      offsetY: isPoint ? 7 : -6,
      fill: new Fill({ color: INK }),
      backgroundFill: new Fill({ color: colour }),
      padding: [3, 5, 2, 5],
      overflow: true,
    }),
    zIndex: look.isSelected ? 2 : 1,
  });
}
