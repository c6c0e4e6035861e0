/** How handles look: squares to pull, spots where a vertex can be put in, the held one filled. */

import type { FeatureLike } from "ol/Feature";
import Circle from "ol/style/Circle";
import Fill from "ol/style/Fill";
import RegularShape from "ol/style/RegularShape";
import Stroke from "ol/style/Stroke";
import Style from "ol/style/Style";
import { INK } from "../model/palette";

export interface HandleLook {
  readonly colour: string;
  readonly isGap: boolean;
  readonly isHeld: boolean;
}

export function handleStyle(feature: FeatureLike): Style {
  const { colour, isGap, isHeld } = feature.get("look") as HandleLook;
  const stroke = new Stroke({ color: INK, width: 1.5 });
  if (isGap) return new Style({ image: new Circle({ radius: 3.5, fill: new Fill({ color: `${colour}b0` }), stroke }) });
  const fill = new Fill({ color: isHeld ? colour : "#ffffff" });
  return new Style({ image: new RegularShape({ points: 4, radius: isHeld ? 9 : 6.5, angle: Math.PI / 4, fill, stroke }), zIndex: isHeld ? 1 : 0 });
}
