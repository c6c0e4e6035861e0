/** Keys, in one table that also fills the help. */

import type { SceneView } from "../map/scene_view";
import { markAround } from "../model/marks";
import type { Studio } from "../model/studio";
import { button, element } from "./elements";
import { TOOLS } from "./toolbar";

interface Shortcut {
  readonly keys: string;
  readonly meaning: string;
  /** True where the key was this one's. */
  readonly act: (event: KeyboardEvent) => boolean;
}

export interface PageActions {
  readonly toggleTheme: () => void;
  readonly openHelp: () => void;
  readonly focusQuestion: () => void;
}

const STEPS: Partial<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const PAN = 80; // screen pixels

export function listenForKeys(studio: Studio, view: SceneView, map: HTMLElement, page: PageActions): Shortcut[] {
  const shortcuts = [...toolKeys(studio), ...markKeys(studio, view, map), ...viewKeys(studio, view, map), ...pageKeys(studio, view, page)];
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") !== null) return;
    const isTyping = event.target instanceof HTMLElement && event.target.closest("input:not([type=checkbox], [type=range]), textarea, select") !== null;
    if (isTyping && event.key !== "Escape") return;
    if (!studio.drafts.hasSingleKeys && isCharacter(event)) return;
    if (shortcuts.some(({ act }) => act(event))) event.preventDefault();
  });
  return shortcuts;
}

export function fillHelp(dialog: HTMLElement, shortcuts: readonly Shortcut[], close: () => void, studio: Studio): void {
  const single = element("input", { type: "checkbox", id: "single-keys", onchange: () => {
    studio.drafts.hasSingleKeys = single.checked;
    tellKeys(single.checked);
  } });
  single.checked = studio.drafts.hasSingleKeys;
  tellKeys(single.checked);
  const rows = shortcuts.map(({ keys, meaning }) => element("tr", {}, element("td", {}, ...keycaps(keys)), element("td", {}, meaning)));
  dialog.append(
    element("div", { class: "row apart" }, element("h2", { id: "help-title" }, "Keyboard"), button({ label: "Close", icon: "close", look: "quiet", key: "Escape", onPress: close })),
    element("label", { class: "check", for: "single-keys" }, single, "Single letters and signs are shortcuts"),
    element("table", {}, element("tbody", {}, ...rows)),
    element("p", {}, "Space or the middle mouse button pans with a pen in hand. Enter asks, Shift and Enter begins a line."),
  );
}

/** A letter, digit or sign, which speech and a slip of the hand type as well; not with Ctrl or the command key. */
function isCharacter(event: KeyboardEvent): boolean {
  return event.key.length === 1 && ((!event.ctrlKey && !event.metaKey) || event.getModifierState("AltGraph"));
}

/** Buttons say their key only while it works. */
function tellKeys(hasSingle: boolean): void {
  for (const made of document.querySelectorAll<HTMLElement>("button[data-key]")) {
    const { key = "" } = made.dataset;
    if (key.length > 1) continue;
    const name = made.title.replace(` (${key})`, "");
    made.title = hasSingle ? `${name} (${key})` : name;
    if (hasSingle) made.setAttribute("aria-keyshortcuts", key);
    else made.removeAttribute("aria-keyshortcuts");
  }
}

function keycaps(keys: string): Node[] {
  return keys.split(" ").map((key) => element("kbd", {}, key));
}

/** A letter or sign without Ctrl, Alt or the command key. */
function plain(key: string, action: () => void): Shortcut["act"] {
  return (event) => {
    // On many keyboards a bracket is typed with AltGr, which some systems report as Ctrl and Alt.
    const isCommand = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
    if (isCommand || event.key.toLowerCase() !== key.toLowerCase()) return false;
    action();
    return true;
  };
}

function toolKeys(studio: Studio): Shortcut[] {
  return TOOLS.map(({ tool, name, key }) => ({ keys: key, meaning: name, act: plain(key, () => { studio.use(tool); }) }));
}

function markKeys(studio: Studio, view: SceneView, map: HTMLElement): Shortcut[] {
  const { drawing } = studio;
  const place = (event: KeyboardEvent): boolean => {
    if (event.key !== "Enter" || event.target !== map) return false;
    if (view.tools.isDrawing) view.tools.finish();
    else if (studio.tool !== "select") drawing.add(markAround(studio.tool, view.centre, view.reach));
    return true;
  };
  const remove = (event: KeyboardEvent): boolean => {
    if (event.key !== "Delete" && event.key !== "Backspace") return false;
    if (view.tools.isDrawing) view.tools.undoVertex();
    else if (drawing.selected !== null && !drawing.removeVertex()) drawing.remove(drawing.selected);
    return true;
  };
  const travel = (event: KeyboardEvent): boolean => {
    if (!event.ctrlKey && !event.metaKey) return false;
    const key = event.key.toLowerCase();
    if (view.tools.isDrawing && (key === "y" || key === "z")) {
      if (key === "z" && !event.shiftKey) view.tools.undoVertex(); // the shape in hand comes before the marks
      return true;
    }
    if (key === "y" || (key === "z" && event.shiftKey)) drawing.redo();
    else if (key === "z") drawing.undo();
    else return false;
    return true;
  };
  return [
    { keys: "Enter", meaning: "On the map: place a mark in the middle, or close a polygon", act: place },
    { keys: "[ ]", meaning: "Previous or next mark", act: (event) => plain("[", () => { drawing.selectNext(-1); })(event) || plain("]", () => { drawing.selectNext(1); })(event) },
    { keys: ", .", meaning: "Previous or next handle of the selected mark; the arrows move it", act: (event) => plain(",", () => { drawing.holdNext(-1); })(event) || plain(".", () => { drawing.holdNext(1); })(event) },
    { keys: "I", meaning: "Insert a vertex after the selected one", act: plain("i", () => { drawing.insertVertex(); }) },
    { keys: "Delete", meaning: "Remove the selected vertex or mark, or a polygon's last corner", act: remove },
    { keys: "Ctrl+Z Ctrl+Shift+Z", meaning: "Undo, redo", act: travel },
  ];
}

function viewKeys(studio: Studio, view: SceneView, map: HTMLElement): Shortcut[] {
  const { drawing } = studio;
  const arrows = (event: KeyboardEvent): boolean => {
    const step = STEPS[event.key];
    if (step === undefined || event.target !== map) return false;
    const [dx, dy] = step;
    const by = event.shiftKey ? 10 : 1;
    if (drawing.selected !== null && studio.tool === "select") drawing.nudge(dx * by, dy * by);
    else view.pan(dx * PAN, dy * PAN);
    return true;
  };
  const zoom = (event: KeyboardEvent): boolean => plain("+", () => { view.zoom(1); })(event) || plain("=", () => { view.zoom(1); })(event) || plain("-", () => { view.zoom(-1); })(event);
  return [
    { keys: "← ↑ → ↓", meaning: "On the map: move the selected mark or handle a pixel (Shift: ten), else pan", act: arrows },
    { keys: "+ -", meaning: "Zoom", act: zoom },
    { keys: "F", meaning: "Show the whole scene", act: plain("f", () => { view.fit(); }) },
    { keys: "M", meaning: "Hide or show the masks", act: plain("m", () => { studio.toggleLayers(); }) },
  ];
}

function pageKeys(studio: Studio, view: SceneView, page: PageActions): Shortcut[] {
  const escape = (event: KeyboardEvent): boolean => {
    if (event.key !== "Escape") return false;
    if (view.reshape.isPulling) view.reshape.abort();
    else if (view.tools.isDrawing) view.tools.abort();
    else if (studio.pending !== null) studio.stop();
    else if (studio.tool !== "select") studio.use("select");
    else if (studio.drawing.handle !== null) studio.drawing.hold(null);
    else studio.drawing.select(null);
    return true;
  };
  return [
    { keys: "/", meaning: "Write a question", act: plain("/", page.focusQuestion) },
    { keys: "Escape", meaning: "Drop the shape, stop the answer, put the pen away, let the mark go", act: escape },
    { keys: "T", meaning: "Light or dark", act: plain("t", page.toggleTheme) },
    { keys: "?", meaning: "This help", act: plain("?", page.openHelp) },
  ];
}
