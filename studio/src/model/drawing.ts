/** The marks of the open scene: drawn, moved, reshaped, named, numbered, removed, undone. It knows no server and no element. */

import { crossingSentence } from "./crossing";
import { handlesOf, pulled, withoutVertex, withVertex, type Handle } from "./handles";
import { isDrawn, nameOf, shifted, touches, type Mark, type PlacedMark } from "./marks";
import { Undoable } from "./undo";

/** What the marks need of their surroundings. */
export interface Surroundings {
  /** Width and height of the open scene; null where none is open. */
  size(): readonly [number, number] | null;
  maxMarks(): number;
  say(sentence: string): void;
  keep(marks: readonly PlacedMark[]): void;
  changed(topic: "marks" | "selection"): void;
}

export class Drawing {
  selected: string | null = null;
  private held: number | null = null;
  private drawn = new Undoable<readonly PlacedMark[]>([]);

  constructor(private readonly around: Surroundings) {}

  get marks(): readonly PlacedMark[] {
    return this.drawn.value;
  }

  get canUndo(): boolean {
    return this.drawn.canUndo;
  }

  get canRedo(): boolean {
    return this.drawn.canRedo;
  }

  /** The selected mark. */
  get chosen(): PlacedMark | null {
    return this.marks.find(({ id }) => id === this.selected) ?? null;
  }

  /** The handle of the selected mark that keys move. */
  get handle(): Handle | null {
    if (this.chosen === null || this.held === null) return null;
    return handlesOf(this.chosen.mark)[this.held] ?? null;
  }

  /** Another scene's marks, with no past. */
  begin(marks: readonly PlacedMark[]): void {
    this.drawn = new Undoable(marks);
    this.selected = null;
    this.held = null;
    this.around.changed("marks");
    this.around.changed("selection");
  }

  add(mark: Mark): void {
    const size = this.around.size();
    if (size === null || !isDrawn(mark)) return; // not drawn: a click where a drag was meant
    if (!this.lies(mark)) return;
    this.addAll([{ id: newId(), mark, label: "" }]);
    this.tellCrossing(mark);
  }

  /** Adds marks that are known to lie in the scene, as one step. */
  addAll(marks: readonly PlacedMark[]): void {
    const most = this.around.maxMarks();
    if (this.marks.length + marks.length > most) {
      const more = marks.length === 1 ? "" : `, ${marks.length} more would come`;
      this.around.say(`One question carries at most ${most} marks, and there are ${this.marks.length}${more}.`);
      return;
    }
    this.set([...this.marks, ...marks]);
    this.select(marks[0]?.id ?? null);
  }

  name(id: string, label: string): void {
    this.change(id, { label });
  }

  /** Gives a mark another shape; one that encloses nothing or leaves the scene stays as it was. */
  reshape(id: string, mark: Mark): void {
    const placed = this.marks.find((other) => other.id === id);
    if (placed === undefined) return;
    const isNew = JSON.stringify(mark) !== JSON.stringify(placed.mark);
    if (isNew && isDrawn(mark) && this.lies(mark)) this.change(id, { mark });
    else this.around.changed("marks"); // whoever moved it on the screen puts it back
  }

  /** Moves a mark; one that would leave the scene stays where it was. */
  move(id: string, dx: number, dy: number): void {
    const placed = this.marks.find((mark) => mark.id === id);
    if (placed !== undefined) this.reshape(id, shifted(placed.mark, dx, dy));
  }

  /** Moves what keys move: the handle that is held, or else the selected mark. */
  nudge(dx: number, dy: number): void {
    const { chosen, handle } = this;
    if (chosen === null) return;
    if (handle === null) this.move(chosen.id, dx, dy);
    else this.reshape(chosen.id, pulled(chosen.mark, handle, [handle.at[0] + dx, handle.at[1] + dy]));
  }

  /** Takes hold of a handle of the selected mark, by its place; null lets go. */
  hold(place: number | null): void {
    if (this.held === place) return;
    this.held = place;
    this.around.changed("selection");
  }

  /** Takes hold of the handle after or before the one held. */
  holdNext(by: -1 | 1): void {
    const count = this.chosen === null ? 0 : handlesOf(this.chosen.mark).length;
    if (count === 0) return;
    if (this.held === null) this.hold(by > 0 ? 0 : count - 1);
    else this.hold((this.held + by + count) % count);
  }

  /** One more vertex after the one held. */
  insertVertex(): void {
    if (this.chosen === null || this.held === null) return;
    const more = withVertex(this.chosen.mark, this.held);
    if (more === null) return;
    this.change(this.chosen.id, { mark: more.mark });
    this.hold(more.place);
  }

  /** Removes a vertex of the selected mark, the one held where none is named; false where the mark has none to lose. */
  removeVertex(place = this.held): boolean {
    if (this.chosen === null || place === null) return false;
    const less = withoutVertex(this.chosen.mark, place);
    if (less === null) return false;
    if (typeof less === "string") this.around.say(less);
    else {
      this.hold(null);
      this.change(this.chosen.id, { mark: less });
    }
    return true;
  }

  /** Gives a mark the number before or after its own. */
  renumber(id: string, by: -1 | 1): void {
    const from = this.marks.findIndex((mark) => mark.id === id);
    const to = from + by;
    if (from < 0 || to < 0 || to >= this.marks.length) return;
    const marks = [...this.marks];
    marks.splice(to, 0, ...marks.splice(from, 1));
    this.set(marks);
  }

  remove(id: string): void {
    const place = this.marks.findIndex((mark) => mark.id === id);
    if (place < 0) return;
    const wasSelected = this.selected === id;
    this.set(this.marks.filter((mark) => mark.id !== id));
    if (wasSelected) this.select((this.marks[place] ?? this.marks.at(-1))?.id ?? null);
  }

  /** Replaces all marks, as one step that can be undone. */
  set(marks: readonly PlacedMark[]): void {
    this.drawn.set(marks);
    this.afterChange();
  }

  undo(): void {
    if (this.drawn.undo()) this.afterChange();
  }

  redo(): void {
    if (this.drawn.redo()) this.afterChange();
  }

  select(id: string | null): void {
    if (this.selected === id) return;
    this.selected = id;
    this.held = null;
    this.around.changed("selection");
  }

  /** Selects the mark after or before the selected one. */
  selectNext(by: -1 | 1): void {
    const count = this.marks.length;
    if (count === 0) return;
    const at = this.marks.findIndex((mark) => mark.id === this.selected);
    const next = at < 0 ? (by > 0 ? 0 : count - 1) : (at + by + count) % count;
    this.select(this.marks[next]?.id ?? null);
  }

  private change(id: string, change: Partial<Pick<PlacedMark, "mark" | "label">>): void {
    const placed = this.marks.find((mark) => mark.id === id);
    if (placed === undefined || (change.mark === undefined && change.label === placed.label)) return; // no step to undo
    this.set(this.marks.map((mark) => (mark.id === id ? { ...mark, ...change } : mark)));
    if (change.mark !== undefined) this.tellCrossing(change.mark);
  }

  /** A polygon that crosses itself stays, for a corner may be moved, but could not be asked about. */
  private tellCrossing(mark: Mark): void {
    const sentence = mark.kind === "polygon" ? crossingSentence(mark.coordinates, true) : null;
    if (sentence !== null) this.around.say(`${sentence} Move a corner, or draw it anew.`);
  }

  private lies(mark: Mark): boolean {
    const size = this.around.size();
    if (size === null) return false;
    const isInside = touches(mark, ...size);
    if (!isInside) this.around.say(`The ${nameOf(mark)} lies outside the ${size[0]} x ${size[1]} scene.`);
    return isInside;
  }

  private afterChange(): void {
    this.around.keep(this.marks);
    if (this.selected !== null && this.chosen === null) this.select(null);
    if (this.held !== null && this.handle === null) this.hold(null);
    this.around.changed("marks");
  }
}

/** `crypto.randomUUID` exists on secure pages only; a server in the local network is none. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("-");
}
