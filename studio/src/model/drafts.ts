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
    const stored = this.read(`scene/${scene}`) as Partial<Draft> | null;
    if (stored === null) return EMPTY_DRAFT;
    return {
      marks: placedMarks(stored.marks),
      question: typeof stored.question === "string" ? stored.question : "",
      session: typeof stored.session === "string" ? stored.session : null,
      display: { ...PLAIN_DISPLAY, ...stored.display },
    };
  }

  keep(scene: string, draft: Draft): void {
    this.write(`scene/${scene}`, draft);
  }

  forget(scene: string): void {
    this.kept.removeItem(`${PREFIX}scene/${scene}`);
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

function placedMarks(stored: unknown): PlacedMark[] {
  if (!Array.isArray(stored)) return [];
  return stored.flatMap((item: Partial<PlacedMark> | null) => {
    const mark = markFromJson(item?.mark);
    if (mark === null || typeof item?.id !== "string") return [];
    return [{ id: item.id, mark, label: typeof item.label === "string" ? item.label : "" }];
  });
}
