/** One mask of an answer as a layer: a tint with a rim that stays visible where the tint does not. */

import ImageLayer from "ol/layer/Image";
import type Projection from "ol/proj/Projection";
import ImageCanvasSource from "ol/source/ImageCanvas";
import type { AnsweredMask } from "../http/types";
import { channels } from "../model/palette";
import { isRim, rasterOf, type Raster } from "../model/run_lengths";

const TINT = 107; // of 255: 0.42, as in the pictures that the Python package draws
const RIM = 255;

/** Null where the mask is empty. */
export function maskLayer(mask: AnsweredMask, colour: string, projection: Projection): ImageLayer<ImageCanvasSource> | null {
  const raster = rasterOf(mask);
  if (raster === null || mask.box === null) return null;
  const picture = painted(raster, colour);
  const [x0, y0] = mask.box;
  return new ImageLayer({
    source: new ImageCanvasSource({
      projection,
      canvasFunction: ([left, , , top], resolution, pixelRatio, [width, height]) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [Math.round(width ?? 0), Math.round(height ?? 0)];
        const scale = pixelRatio / resolution;
        const context = canvas.getContext("2d");
        if (context === null) return canvas;
        context.imageSmoothingEnabled = scale * raster.step < 1; // crisp pixels near, no flicker far away
        context.drawImage(
          picture,
          (x0 - (left ?? 0)) * scale,
          (y0 + (top ?? 0)) * scale,
          raster.width * raster.step * scale,
          raster.height * raster.step * scale,
        );
        return canvas;
      },
    }),
  });
}

function painted(raster: Raster, colour: string): HTMLCanvasElement {
  const { width, height, pixels } = raster;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  const image = context.createImageData(width, height);
  const [red, green, blue] = channels(colour);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const place = y * width + x;
      if (pixels[place] !== 1) continue;
      image.data.set([red, green, blue, isRim(raster, x, y) ? RIM : TINT], 4 * place);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
