/** What outlives a reload in this browser: marks, the question being written, how each scene is shown, and choices. */

import { markFromJson, type PlacedMark } from "./marks";

export interface Display {
  readonly low: number | null;
  readonly high: number | null;
  /** Numbers of the bands shown as red, green and blue, counted from 1; null for the server's choice. */
  readonly bands: readonly [number, number, number] | null;
  readonly isSmooth: boolean;
}

export interface Draft {
  readonly marks: readonly PlacedMark[];
  readonly question: string;
  /** The dialogue that the next question goes on with. */
  readonly session: string | null;
  readonly display: Display;
}

export type Theme = "auto" | "light" | "dark";

export const PLAIN_DISPLAY: Display = { low: null, high: null, bands: null, isSmooth: true };
export const EMPTY_DRAFT: Draft = { marks: [], question: "", session: null, display: PLAIN_DISPLAY };
const PREFIX = "earthgptx-studio/1/";

export class Drafts {
  /** @param kept outlives the browser; @param passing ends with the tab, and is where a token belongs. */
  constructor(
    private readonly kept: Storage,
    private readonly passing: Storage,
  ) {}

  draft(scene: string): Draft {
    const read = this.read(`scene/${scene}`);
    if (typeof read !== "object" || read === null) return EMPTY_DRAFT;
    const stored = read as Partial<Record<keyof Draft, unknown>>;
    return {
      marks: placedMarks(stored.marks),
      question: typeof stored.question === "string" ? stored.question : "",
      session: typeof stored.session === "string" ? stored.session : null,
      display: displayOf(stored.display),
    };
  }

  keep(scene: string, draft: Draft): void {
    this.write(`scene/${scene}`, draft);
  }

  forget(scene: string): void {
    this.kept.removeItem(`${PREFIX}scene/${scene}`);
  }

  /** Forgets scenes that the server has no longer: nobody else would. */
  keepOnly(scenes: readonly string[]): void {
    const wanted = new Set(scenes.map((scene) => `${PREFIX}scene/${scene}`));
    const keys = Array.from({ length: this.kept.length }, (_, index) => this.kept.key(index) ?? "");
    for (const key of keys) if (key.startsWith(`${PREFIX}scene/`) && !wanted.has(key)) this.kept.removeItem(key);
  }

  get scene(): string | null {
    const stored = this.read("open");
    return typeof stored === "string" ? stored : null;
  }

  set scene(id: string | null) {
    this.write("open", id);
  }

  get theme(): Theme {
    const stored = this.read("theme");
    return stored === "light" || stored === "dark" ? stored : "auto";
  }

  set theme(theme: Theme) {
    this.write("theme", theme);
  }

  /** Whether single letters and signs are shortcuts; who speaks to the browser types many that are none. */
  get hasSingleKeys(): boolean {
    return this.read("single-keys") !== false;
  }

  set hasSingleKeys(isOn: boolean) {
    this.write("single-keys", isOn);
  }

  get token(): string | null {
    return this.passing.getItem(`${PREFIX}token`);
  }

  set token(token: string | null) {
    if (token === null) this.passing.removeItem(`${PREFIX}token`);
    else this.passing.setItem(`${PREFIX}token`, token);
  }

  private read(key: string): unknown {
    const text = this.kept.getItem(PREFIX + key);
    if (text === null) return null;
    try {
      return JSON.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) return null; // somebody else's or an older page's: begin anew
      throw error;
    }
  }

  private write(key: string, value: unknown): void {
    try {
      this.kept.setItem(PREFIX + key, JSON.stringify(value));
    } catch (error) {
      // A full store costs the next reload its draft, and must not cost the work on the page.
      if (!(error instanceof DOMException)) throw error;
      console.warn("The browser's store is full; marks will not outlive a reload.");
    }
  }
}

function displayOf(stored: unknown): Display {
  if (typeof stored !== "object" || stored === null) return PLAIN_DISPLAY;
  const { low, high, bands, isSmooth } = stored as Partial<Record<keyof Display, unknown>>;
  const isLevel = (value: unknown): value is number => typeof value === "number";
  const isBands = (value: unknown): value is [number, number, number] => Array.isArray(value) && value.length === 3 && value.every(isLevel);
  return {
    low: isLevel(low) ? low : null, high: isLevel(high) ? high : null, bands: isBands(bands) ? bands : null, isSmooth: isSmooth !== false,
  };
}

function placedMarks(stored: unknown): PlacedMark[] {
  if (!Array.isArray(stored)) return [];
  const ids = new Set<string>();
  return stored.flatMap((item: Partial<PlacedMark> | null) => {
    const mark = markFromJson(item?.mark);
    if (mark === null || typeof item?.id !== "string" || ids.has(item.id)) return [];
    ids.add(item.id);
    return [{ id: item.id, mark, label: typeof item.label === "string" ? item.label : "" }];
  });
}
