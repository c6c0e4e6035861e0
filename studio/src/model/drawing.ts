/** The marks of the open scene: drawn, moved, named, numbered, removed, undone. It knows no server and no element. */

import { isDrawn, shifted, touches, type Mark, type PlacedMark } from "./marks";
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

  /** Another scene's marks, with no past. */
  begin(marks: readonly PlacedMark[]): void {
    this.drawn = new Undoable(marks);
    this.selected = null;
    this.around.changed("marks");
    this.around.changed("selection");
  }

  add(mark: Mark): void {
    const size = this.around.size();
    if (size === null || !isDrawn(mark)) return; // not drawn: a click where a drag was meant
    if (!touches(mark, ...size)) {
      this.around.say(`The ${mark.kind} lies outside the ${size[0]} x ${size[1]} scene.`);
      return;
    }
    const most = this.around.maxMarks();
    if (this.marks.length >= most) {
      this.around.say(`One question carries at most ${most} marks, and there are ${this.marks.length}.`);
      return;
    }
    const id = newId();
    this.set([...this.marks, { id, mark, label: "" }]);
    this.select(id);
  }

  change(id: string, change: Partial<Pick<PlacedMark, "mark" | "label">>): void {
    this.set(this.marks.map((mark) => (mark.id === id ? { ...mark, ...change } : mark)));
  }

  /** Moves a mark; one that would leave the scene stays where it was. */
  move(id: string, dx: number, dy: number): void {
    const placed = this.marks.find((mark) => mark.id === id);
    const size = this.around.size();
    if (placed === undefined || size === null) return;
    const mark = shifted(placed.mark, dx, dy);
    if (touches(mark, ...size) && (dx !== 0 || dy !== 0)) this.change(id, { mark });
    else this.around.changed("marks");
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
    this.set(this.marks.filter((mark) => mark.id !== id));
    if (this.selected === id) this.select((this.marks[place] ?? this.marks.at(-1))?.id ?? null);
  }

  /** Replaces all marks, as one step that can be undone. */
  set(marks: readonly PlacedMark[]): void {
    this.drawn.set(marks);
    this.around.keep(marks);
    this.around.changed("marks");
  }

  undo(): void {
    if (this.drawn.undo()) this.afterTimeTravel();
  }

  redo(): void {
    if (this.drawn.redo()) this.afterTimeTravel();
  }

  select(id: string | null): void {
    if (this.selected === id) return;
    this.selected = id;
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

  private afterTimeTravel(): void {
    this.around.keep(this.marks);
    if (!this.marks.some(({ id }) => id === this.selected)) this.select(null);
    this.around.changed("marks");
  }
}

/** `crypto.randomUUID` exists on secure pages only; a server in the local network is none. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("-");
}
