/** The list of marks: number, name, coordinates; each can be named, typed, renumbered and removed. */

import { importMarks } from "../model/import_marks";
import { coordinatesText, markFromText, nameOf, type PlacedMark } from "../model/marks";
import { colourOf } from "../model/palette";
import type { Studio } from "../model/studio";
import { button, element, numberSpot, switchOn } from "./elements";

export function markPanel(root: HTMLElement, studio: Studio, reveal: (mark: PlacedMark) => void): void {
  const { drawing } = studio;
  const rows = new Map<string, MarkRow>();
  const list = element("ol", { class: "marks", "aria-labelledby": "marks-title" });
  const none = element("p", { class: "none" }, "Choose a pen and draw on the scene, or ask about the whole of it.");
  const clear = button({ label: "Clear all marks", text: "Clear", look: "quiet", onPress: () => { drawing.set([]); } });
  const picker = element("input", {
    type: "file", id: "marks-file", class: "unseen", accept: ".geojson,.json,application/geo+json", tabindex: -1, "aria-hidden": "true",
    onchange: () => {
      for (const file of picker.files ?? []) void importMarks(file, studio);
      picker.value = "";
    },
  });
  const bring = button({ label: "Import marks from GeoJSON", text: "Import", look: "quiet", onPress: () => { picker.click(); } });
  const count = element("span", { class: "count" });
  root.append(element("div", { class: "row apart" }, element("h2", { id: "marks-title" }, "Marks ", count), picker, bring, clear), none, list);

  studio.topics.on(["marks", "selection", "scene"], () => {
    const { marks } = drawing;
    count.textContent = marks.length === 0 ? "" : String(marks.length);
    clear.hidden = marks.length === 0;
    bring.hidden = studio.scene === null;
    none.hidden = marks.length > 0;
    const kept = new Set(marks.map(({ id }) => id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.root.remove();
      rows.delete(id);
    }
    // Rows stay the same elements, so that whoever types in one goes on typing.
    marks.forEach((placed, index) => {
      const row = rows.get(placed.id) ?? new MarkRow(studio, placed.id, reveal);
      rows.set(placed.id, row);
      row.show(placed, index + 1, drawing.selected === placed.id, marks.length);
      if (list.children[index] !== row.root) list.insertBefore(row.root, list.children[index] ?? null);
    });
    list.querySelector(".selected")?.scrollIntoView({ block: "nearest" });
  });
  studio.topics.on(["hover"], () => {
    [...list.children].forEach((row, index) => row.classList.toggle("hovered", index + 1 === studio.hovered));
  });
}

class MarkRow {
  readonly root = element("li");
  private placed: PlacedMark | null = null;
  private number = 0;
  private shownLabel = "";
  private readonly pick = element("button", { type: "button", class: "pick" });
  private readonly label = element("input", { type: "text", class: "label", maxlength: 60 });
  private readonly kind = element("small", { class: "kind" });
  private readonly coordinates = element("input", { type: "text", class: "coordinates", spellcheck: "false" });
  private readonly lower: HTMLButtonElement;
  private readonly higher: HTMLButtonElement;
  private readonly bin: HTMLButtonElement;
  private readonly more: HTMLButtonElement;
  private readonly less: HTMLButtonElement;
  private readonly details: HTMLElement;

  constructor(
    private readonly studio: Studio,
    id: string,
    reveal: (mark: PlacedMark) => void,
  ) {
    const { drawing } = studio;
    const look = "quiet";
    this.lower = button({ label: "Number it one lower", icon: "up", look, onPress: () => { drawing.renumber(id, -1); } });
    this.higher = button({ label: "Number it one higher", icon: "down", look, onPress: () => { drawing.renumber(id, 1); } });
    this.bin = button({ label: "Remove", icon: "trash", look, onPress: () => { drawing.remove(id); } });
    this.more = button({ label: "Insert a vertex after the selected one", icon: "plus", key: "I", look, onPress: () => { drawing.insertVertex(); } });
    this.less = button({ label: "Remove the selected vertex", icon: "minus", key: "Delete", look, onPress: () => { drawing.removeVertex(); } });
    this.details = element("div", { class: "details" }, this.coordinates, this.more, this.less, this.lower, this.higher);
    this.pick.addEventListener("click", () => {
      drawing.select(id);
      if (this.placed !== null) reveal(this.placed);
    });
    this.label.addEventListener("focus", () => { drawing.select(id); });
    this.label.addEventListener("change", () => { drawing.name(id, this.label.value.trim()); });
    this.coordinates.addEventListener("change", () => { this.readCoordinates(); });
    this.root.addEventListener("mouseenter", () => { studio.hover(this.number); });
    this.root.addEventListener("mouseleave", () => { studio.hover(null); });
    this.root.append(this.pick, this.label, this.kind, this.bin, this.details);
  }

  show(placed: PlacedMark, number: number, isSelected: boolean, count: number): void {
    this.placed = placed;
    this.number = number;
    const name = nameOf(placed.mark);
    this.root.classList.toggle("selected", isSelected);
    this.pick.replaceChildren(numberSpot(number, colourOf(number)));
    this.pick.setAttribute("aria-label", `Select mark ${number}`);
    this.pick.setAttribute("aria-pressed", String(isSelected));
    if (document.activeElement !== this.label || placed.label !== this.shownLabel) this.label.value = placed.label;
    this.shownLabel = placed.label;
    this.label.placeholder = "Name it";
    this.label.setAttribute("aria-label", `Name of mark ${number}, a ${name}`);
    this.kind.textContent = name;
    this.bin.title = isSelected ? `Remove mark ${number} (Delete)` : `Remove mark ${number}`;
    this.bin.setAttribute("aria-label", `Remove mark ${number}`);
    this.details.hidden = !isSelected;
    this.coordinates.value = coordinatesText(placed.mark);
    this.coordinates.setAttribute("aria-invalid", "false");
    this.coordinates.setAttribute("aria-label", `Coordinates of mark ${number}, in pixels`);
    switchOn(this.lower, number > 1);
    switchOn(this.higher, number < count);
    const hasVertices = placed.mark.kind === "polygon" || placed.mark.kind === "scribble";
    for (const change of [this.more, this.less]) {
      change.hidden = !hasVertices;
      switchOn(change, isSelected && this.studio.drawing.handle !== null);
    }
  }

  private readCoordinates(): void {
    if (this.placed === null) return;
    const { id, mark } = this.placed;
    const typed = markFromText(mark.kind, this.coordinates.value);
    this.coordinates.setAttribute("aria-invalid", String(typed === null));
    if (typed !== null) this.studio.drawing.reshape(id, typed);
    else this.studio.say(`These numbers do not make a ${nameOf(mark)}; as they were: ${coordinatesText(mark)}.`);
  }
}
