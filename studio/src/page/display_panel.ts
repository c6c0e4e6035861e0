/** How the scene is shown: stretch and bands of the imagery, and the masks of the open answer as layers. */

import type { AnsweredMask } from "../http/types";
import { maskColour } from "../map/scene_view";
import type { Studio } from "../model/studio";
import { button, element, numberSpot } from "./elements";

const MAX_LEVEL = 255;
const PAUSE_MILLISECONDS = 150; // after the last movement, before tiles are asked for anew

export function displayPanel(root: HTMLElement, studio: Studio): void {
  const facts = element("dl", { class: "facts" });
  const notes = element("details", { class: "notes" });
  const controls = element("div", { class: "controls" });
  const layers = element("ul", { class: "layers", "aria-label": "Masks" });
  root.append(
    element("h2", { id: "display-title" }, "Display"),
    controls,
    element("h3", {}, "Masks"),
    layers,
    element("h3", {}, "About this scene"),
    facts,
    notes,
  );
  let refreshAll: readonly (() => void)[] = [];
  studio.topics.on(["scene"], () => {
    root.hidden = studio.scene === null;
    const made = displayControls(studio);
    refreshAll = made.map(({ refresh }) => refresh);
    controls.replaceChildren(...made.map(({ row }) => row));
    describe(studio, facts, notes);
  });
  studio.topics.on(["display"], () => { for (const refresh of refreshAll) refresh(); });
  studio.topics.on(["layers"], () => { drawLayers(layers, studio); });
}

/** A row of controls, and what shows the present values in it. */
interface Control {
  readonly row: HTMLElement;
  readonly refresh: () => void;
}

function displayControls(studio: Studio): Control[] {
  const { scene } = studio;
  if (scene === null) return [];
  const levels = [stretchField("Black", "low", studio), stretchField("White", "high", studio)];
  const smooth = element("input", { type: "checkbox", onchange: () => { studio.setDisplay({ isSmooth: smooth.checked }); } });
  const reset = button({ label: "Reset", text: "Reset", look: "quiet", onPress: () => { studio.resetDisplay(); } });
  return [
    ...levels,
    ...(scene.num_bands > 1 ? [bandFields(studio, scene.num_bands)] : []),
    {
      row: element("div", { class: "row apart" }, element("label", { class: "check" }, smooth, "Smooth pixels"), reset),
      refresh: () => { smooth.checked = studio.display.isSmooth; },
    },
  ];
}

/** A level of the shown picture, 0 to 255, that becomes black or white. */
function stretchField(name: string, member: "low" | "high", studio: Studio): Control {
  let timer = 0;
  const { scene } = studio;
  const usual = member === "low" ? 0 : MAX_LEVEL;
  const number = element("output");
  const slider = element("input", {
    type: "range", min: 0, max: MAX_LEVEL, "aria-label": `${name} level`,
    oninput: () => {
      // Black stays below white.
      const other = studio.display[member === "low" ? "high" : "low"] ?? MAX_LEVEL - usual;
      const limit = member === "low" ? Math.min(slider.valueAsNumber, other - 1) : Math.max(slider.valueAsNumber, other + 1);
      slider.value = String(limit);
      number.textContent = String(limit);
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        if (studio.scene === scene) studio.setDisplay({ [member]: limit === usual ? null : limit }); // else it was for another scene
      }, PAUSE_MILLISECONDS);
    },
  });
  return {
    row: element("label", { class: "level" }, element("span", {}, name), slider, number),
    refresh: () => {
      clearTimeout(timer);
      slider.value = String(studio.display[member] ?? usual);
      number.textContent = slider.value;
    },
  };
}

function bandFields(studio: Studio, count: number): Control {
  const choices = ["Red", "Green", "Blue"].map((name) => {
    const choice = element("select", {
      "aria-label": `${name} band`,
      onchange: () => {
        const [red = 1, green = 1, blue = 1] = choices.map((other) => Number(other.value));
        studio.setDisplay({ bands: [red, green, blue] });
      },
    });
    for (let band = 1; band <= count; band++) choice.append(new Option(String(band), String(band)));
    return choice;
  });
  const names = ["R", "G", "B"];
  const legend = element("legend");
  return {
    row: element("fieldset", { class: "bands" }, legend, ...choices.map((choice, place) => element("label", { class: "field inline" }, names[place] ?? "", choice))),
    refresh: () => {
      const shown = studio.display.bands ?? (count >= 3 ? [1, 2, 3] : [1, 1, 1]);
      legend.textContent = studio.display.bands === null ? "Bands (automatic)" : "Bands";
      choices.forEach((choice, place) => { choice.value = String(shown[place] ?? 1); });
    },
  };
}

function describe(studio: Studio, facts: HTMLElement, notes: HTMLElement): void {
  const { scene } = studio;
  if (scene === null) return;
  const metres = scene.ground_sample_distance;
  const rows: [string, string][] = [
    ["Size", `${scene.width} × ${scene.height} px, ${scene.num_bands} ${scene.num_bands === 1 ? "band" : "bands"}`],
    ["Sensor", scene.sensor],
    ["Ground", metres === null ? "not known" : `${Number(metres.toPrecision(3))} m a pixel`],
    ["Reference", scene.crs ?? (scene.is_georeferenced ? "without a code" : "none: pixels only")],
  ];
  if (scene.expires !== null) rows.push(["Kept until", new Date(scene.expires).toLocaleString()]);
  facts.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  notes.hidden = scene.notes.length === 0;
  notes.replaceChildren(
    element("summary", {}, scene.notes.length === 1 ? "1 note on how it was read" : `${scene.notes.length} notes on how it was read`),
    ...scene.notes.map((note) => element("p", {}, note)),
  );
}

function drawLayers(list: HTMLElement, studio: Studio): void {
  const { open } = studio;
  if (open === null || open.masks.length === 0) {
    list.replaceChildren(element("li", { class: "none" }, open === null ? "No answer is open." : "This answer has no mask."));
    return;
  }
  // A slider that is being dragged must stay the same element.
  if (list.dataset.answer === open.id && list.childElementCount === open.masks.length) {
    [...list.children].forEach((row, index) => { refresh(row, index, studio); });
    return;
  }
  list.dataset.answer = open.id;
  list.replaceChildren(
    ...open.masks.map((mask, index) => {
      const facts = `${mask.area_px.toLocaleString("en")} px · ${Math.round(mask.confidence * 100)}%`;
      const toggle = (): void => { studio.setLayer(index, { isShown: !(studio.layers[index]?.isShown ?? true) }); };
      const name = nameOfMask(mask, index);
      const opacity = element("input", {
        type: "range", min: 0, max: 100, value: 100, "aria-label": `Opacity of ${name}`,
        oninput: () => { studio.setLayer(index, { opacity: opacity.valueAsNumber / 100, isShown: true }); },
      });
      const row = element(
        "li",
        {},
        numberSpot(mask.region ?? "", maskColour(open.regions.length, mask.region, index)),
        element("span", { class: "name" }, element("b", {}, name), element("small", {}, facts)),
        button({ label: `Show ${name}`, icon: "eye", look: "quiet", isPressed: true, onPress: toggle }),
        opacity,
      );
      refresh(row, index, studio);
      return row;
    }),
  );
}

function nameOfMask({ region, phrase }: AnsweredMask, index: number): string {
  if (region === null) return phrase ?? `Mask ${index + 1}`;
  return phrase === null ? `Region ${region}` : `Region ${region}: ${phrase}`;
}

function refresh(row: Element, index: number, studio: Studio): void {
  const layer = studio.layers[index];
  if (layer === undefined) return;
  row.classList.toggle("off", !layer.isShown);
  row.querySelector("button")?.setAttribute("aria-pressed", String(layer.isShown));
  const slider = row.querySelector<HTMLInputElement>("input[type=range]");
  if (slider !== null) slider.value = String(layer.opacity * 100);
}
