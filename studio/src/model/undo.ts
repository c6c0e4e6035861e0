/** A value with a past and a future. */

const DEPTH = 200;

export class Undoable<T> {
  private past: T[] = [];
  private future: T[] = [];

  constructor(private present: T) {}

  get value(): T {
    return this.present;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Sets a new value; what had been undone is gone. */
  set(value: T): void {
    this.past = [...this.past.slice(1 - DEPTH), this.present];
    this.future = [];
    this.present = value;
  }

  undo(): boolean {
    const earlier = this.past.pop();
    if (earlier === undefined) return false;
    this.future.push(this.present);
    this.present = earlier;
    return true;
  }

  redo(): boolean {
    const later = this.future.pop();
    if (later === undefined) return false;
    this.past.push(this.present);
    this.present = later;
    return true;
  }
}
