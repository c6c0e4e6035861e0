/** The pens beside the map, undo and redo, zoom, and the line that says what the pen in hand does. */

import type { SceneView } from "../map/scene_view";
import type { Studio, Tool } from "../model/studio";
import { button, element, switchOn, type IconName } from "./elements";

interface ToolRow {
  readonly tool: Tool;
  readonly name: string;
  readonly key: string;
  readonly icon: IconName;
  readonly hint: string;
}

export const TOOLS: readonly ToolRow[] = [
  { tool: "select", name: "Select and move", key: "V", icon: "hand", hint: "" },
  { tool: "point", name: "Point", key: "P", icon: "point", hint: "Click on the object" },
  { tool: "box", name: "Box", key: "B", icon: "box", hint: "Drag from corner to corner" },
  { tool: "ellipse", name: "Circle", key: "C", icon: "circle", hint: "Drag from the centre outwards" },
  { tool: "polygon", name: "Polygon", key: "G", icon: "polygon", hint: "Click the corners; double-click or Enter closes it" },
  { tool: "scribble", name: "Scribble", key: "S", icon: "scribble", hint: "Drag a stroke over the object" },
];

export function toolbar(root: HTMLElement, hint: HTMLElement, studio: Studio): void {
  const buttons = TOOLS.map(({ tool, name, key, icon }) =>
    button({ label: name, key, icon, isPressed: false, onPress: () => { studio.use(tool); } }),
  );
  const undo = button({ label: "Undo", key: "Ctrl+Z", icon: "undo", onPress: () => { studio.drawing.undo(); } });
  const redo = button({ label: "Redo", key: "Ctrl+Shift+Z", icon: "redo", onPress: () => { studio.drawing.redo(); } });
  root.append(...buttons, element("span", { class: "rule", role: "separator" }), undo, redo);
  walkWithArrows(root);
  const showHint = (): void => {
    const usual = studio.scene === null ? "" : (TOOLS.find(({ tool }) => tool === studio.tool)?.hint ?? "");
    hint.textContent = studio.sketchProblem === null ? usual : `${studio.sketchProblem} Delete takes the last corner back`;
    hint.classList.toggle("wrong", studio.sketchProblem !== null);
    hint.hidden = hint.textContent === "";
  };
  studio.topics.on(["sketch"], showHint);
  studio.topics.on(["tool", "scene"], () => {
    TOOLS.forEach(({ tool }, index) => { buttons[index]?.setAttribute("aria-pressed", String(tool === studio.tool)); });
    showHint();
    root.hidden = studio.scene === null;
  });
  studio.topics.on(["marks"], () => {
    switchOn(undo, studio.drawing.canUndo);
    switchOn(redo, studio.drawing.canRedo);
  });
}

export function zoombar(root: HTMLElement, view: SceneView, studio: Studio): void {
  root.append(
    button({ label: "Zoom in", key: "+", icon: "plus", onPress: () => { view.zoom(1); } }),
    button({ label: "Zoom out", key: "-", icon: "minus", onPress: () => { view.zoom(-1); } }),
    button({ label: "Whole scene", key: "F", icon: "fit", onPress: () => { view.fit(); } }),
  );
  studio.topics.on(["scene"], () => { root.hidden = studio.scene === null; });
}

/** One stop for the Tab key, arrows inside, as toolbars work. */
function walkWithArrows(root: HTMLElement): void {
  const stops = [...root.querySelectorAll("button")];
  const stay = (index: number): void => {
    stops.forEach((stop, place) => { stop.tabIndex = place === index ? 0 : -1; });
  };
  stay(0);
  root.addEventListener("focusin", (event) => { stay(stops.indexOf(event.target as HTMLButtonElement)); });
  root.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = stops.indexOf(event.target as HTMLButtonElement);
    stops[(at + by + stops.length) % stops.length]?.focus();
  });
}
