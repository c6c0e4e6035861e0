/** The state of the page and everything that can be done to it. It knows the server's API and no element. */

import { ApiError, ServerGone, type Api } from "../http/api";
import type { About, Answer, Scene } from "../http/types";
import { EMPTY_DRAFT, PLAIN_DISPLAY, type Display, type Draft, type Drafts } from "./drafts";
import { Drawing } from "./drawing";
import type { Kind, PlacedMark } from "./marks";
import { Topics } from "./topics";
import { Uploads } from "./uploads";

export type Tool = "select" | Kind;
export type Topic =
  | "connection" | "scenes" | "scene" | "marks" | "selection" | "tool" | "display" | "answers" | "pending" | "hover"
  | "layers" | "sketch" | "uploads" | "heard" | "notice" | "draft";
export type Connection = "connecting" | "ready" | "loading" | "gone" | "locked";

/** A question on its way. */
export interface Pending {
  readonly question: string;
  readonly marks: readonly PlacedMark[];
  readonly text: string;
  readonly stop: AbortController;
}

export interface Notice {
  readonly text: string;
  /** When another try makes sense, in milliseconds of Date.now(); null where it makes none. */
  readonly retryAt: number | null;
}

/** How one mask of the open answer is shown. */
export interface MaskLayer {
  readonly isShown: boolean;
  readonly opacity: number;
}

const RETRY_MILLISECONDS = 3_000;
// What a header can carry; another token could not even be sent.
const TOKEN = /^[\x21-\x7e]+$/;

export class Studio {
  readonly topics = new Topics<Topic>();
  about: About | null = null;
  connection: Connection = "connecting";
  scenes: readonly Scene[] = [];
  scene: Scene | null = null;
  tool: Tool = "select";
  readonly drawing: Drawing;
  /** The number of the region under the pointer. */
  hovered: number | null = null;
  answers: readonly Answer[] = [];
  /** The answer whose masks lie on the map. */
  open: Answer | null = null;
  layers: readonly MaskLayer[] = [];
  /** The answer that came last. */
  heard: Answer | null = null;
  pending: Pending | null = null;
  readonly uploads: Uploads;
  notice: Notice | null = null;
  /** What is wrong with the shape that is being drawn. */
  sketchProblem: string | null = null;
  private draft: Draft = EMPTY_DRAFT;
  private hasAnswers = false;
  private isListing = false;
  private retry: number | null = null;

  constructor(
    readonly api: Api,
    readonly drafts: Drafts,
  ) {
    api.token = drafts.token;
    this.uploads = new Uploads({
      api,
      maxBytes: () => this.about?.limits.max_upload_bytes ?? Infinity,
      sentence: (error) => this.sentence(error),
      expect: () => this.expectScene(),
      changed: () => { this.topics.changed("uploads"); },
    });
    this.drawing = new Drawing({
      size: () => (this.scene === null ? null : [this.scene.width, this.scene.height]),
      maxMarks: () => this.maxMarks,
      say: (sentence) => { this.say(sentence); },
      keep: (marks) => { this.keep({ marks }); },
      changed: (topic) => { this.topics.changed(topic); },
    });
  }

  /** Of one question. */
  get maxMarks(): number {
    return this.about?.limits.max_marks ?? Infinity;
  }

  get question(): string {
    return this.draft.question;
  }

  get session(): string | null {
    return this.draft.session;
  }

  get display(): Display {
    return this.draft.display;
  }

  /** Connects, lists the scenes and opens the one that was open last. */
  async start(): Promise<void> {
    await this.guarded(async () => {
      this.about = await this.api.about();
      const isReady = await this.api.isReady();
      this.scenes = await this.api.scenes();
      this.drafts.keepOnly(this.scenes.map(({ id }) => id));
      this.connect(isReady ? "ready" : "loading");
      this.topics.changed("scenes");
      if (!isReady) this.later();
      const wanted = this.scene?.id ?? this.drafts.scene;
      const scene = this.scenes.find(({ id }) => id === wanted) ?? this.scenes[0];
      if (scene === undefined) this.leaveScene();
      else if (scene.id !== this.scene?.id) await this.openScene(scene);
      else if (!this.hasAnswers) await this.listAnswers(scene); // the server was gone when they were asked for
    });
  }

  async unlock(token: string): Promise<void> {
    if (!TOKEN.test(token)) {
      this.connect("locked");
      return;
    }
    this.api.token = token;
    this.drafts.token = token;
    await this.start();
  }

  // Scenes

  async openScene(scene: Scene): Promise<void> {
    if (this.scene?.id === scene.id) return;
    this.stop();
    this.scene = scene;
    this.drafts.scene = scene.id;
    this.draft = this.drafts.draft(scene.id);
    this.drawing.begin(this.draft.marks);
    this.hovered = null;
    this.answers = [];
    this.hasAnswers = false;
    this.show(null);
    if (this.notice !== null && this.notice.retryAt !== null) this.dismissNotice(); // it offers the other scene's question
    this.topics.changed("scene", "display", "answers", "hover", "draft");
    await this.guarded(() => this.listAnswers(scene));
  }

  async forgetScene(scene: Scene): Promise<void> {
    await this.guarded(async () => {
      await this.api.forget(scene.id);
      this.drafts.forget(scene.id);
      this.scenes = this.scenes.filter(({ id }) => id !== scene.id);
      this.topics.changed("scenes");
      if (this.scene?.id !== scene.id) return;
      const next = this.scenes[0];
      if (next === undefined) this.leaveScene();
      else await this.openScene(next);
    });
  }

  // Pointing

  hover(number: number | null): void {
    if (this.hovered === number) return;
    this.hovered = number;
    this.topics.changed("hover");
  }

  judgeSketch(problem: string | null): void {
    if (this.sketchProblem === problem) return;
    this.sketchProblem = problem;
    this.topics.changed("sketch");
  }

  use(tool: Tool): void {
    this.tool = tool;
    this.topics.changed("tool");
  }

  // How the scene is shown

  setDisplay(display: Partial<Display>): void {
    this.keep({ display: { ...this.display, ...display } });
    this.topics.changed("display");
  }

  resetDisplay(): void {
    this.setDisplay(PLAIN_DISPLAY);
  }

  /** Lays an answer's masks on the map. */
  show(answer: Answer | null): void {
    this.open = answer;
    this.layers = answer?.masks.map(() => ({ isShown: true, opacity: 1 })) ?? [];
    this.topics.changed("layers");
  }

  setLayer(index: number, change: Partial<MaskLayer>): void {
    this.layers = this.layers.map((layer, place) => (place === index ? { ...layer, ...change } : layer));
    this.topics.changed("layers");
  }

  /** Hides every mask, or shows them all again. */
  toggleLayers(): void {
    const isShown = !this.layers.some((layer) => layer.isShown);
    this.layers = this.layers.map((layer) => ({ ...layer, isShown }));
    this.topics.changed("layers");
  }

  // Questions

  write(question: string): void {
    this.keep({ question });
  }

  /** Puts a ready question into the box. */
  suggest(question: string): void {
    this.write(question);
    this.topics.changed("draft");
  }

  async ask(): Promise<void> {
    const { scene, question } = this;
    if (scene === null || this.pending !== null) return;
    if (question.trim() === "") {
      this.say("The question is empty: ask something, for example what is in this image.");
      return;
    }
    const stop = new AbortController();
    const asked = question.trim();
    this.pending = { question: asked, marks: this.drawing.marks, text: "", stop };
    this.dismissNotice();
    this.topics.changed("pending");
    try {
      const marks = this.drawing.marks.map(({ mark }) => mark);
      const body = { question: asked, marks, session: this.sessionFor(marks.length) };
      const answer = await this.api.ask(scene.id, body, (text) => { this.hear(text, stop); }, stop.signal);
      if (stop.signal.aborted) return;
      this.pending = null;
      this.answers = [...this.answers, answer];
      // What was written meanwhile is the next question.
      this.keep({ session: answer.session, question: this.question.trim() === asked ? "" : this.question });
      this.show(answer);
      this.heard = answer;
      this.topics.changed("answers", "pending", "draft", "heard");
    } catch (error) {
      if (stop.signal.aborted) return; // another question may be on its way already
      this.pending = null;
      this.topics.changed("pending");
      this.complain(error);
    }
  }

  /** Stops the question that is on its way; the server stops working on it. */
  stop(): void {
    this.pending?.stop.abort();
    this.pending = null;
    this.topics.changed("pending");
  }

  /** Begins a new dialogue; the answers so far stay in the list. */
  beginSession(): void {
    this.keep({ session: null });
    this.topics.changed("draft");
  }

  async forgetAnswers(): Promise<void> {
    const { scene } = this;
    if (scene === null) return;
    this.stop(); // its answer would come back into the empty list
    await this.guarded(async () => {
      await this.api.forgetAnswers(scene.id);
      if (this.scene?.id !== scene.id) {
        this.drafts.keep(scene.id, { ...this.drafts.draft(scene.id), session: null });
        return;
      }
      this.answers = [];
      this.hasAnswers = true; // a list still on its way is of old
      this.show(null);
      this.beginSession();
      this.topics.changed("answers");
    });
  }

  // Sentences for the user

  say(text: string, retryAt: number | null = null): void {
    this.notice = { text, retryAt };
    this.topics.changed("notice");
  }

  dismissNotice(): void {
    this.notice = null;
    this.topics.changed("notice");
  }

  /** Runs something that needs the server, and says what went wrong. */
  async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.complain(error);
    }
  }

  private complain(error: unknown): void {
    const text = this.sentence(error);
    if (error instanceof ServerGone || (error instanceof ApiError && error.status === 401)) return;
    const wait = error instanceof ApiError && error.status === 429 ? (error.retryAfter ?? 1) * 1000 : null;
    this.say(text, wait === null ? null : Date.now() + wait);
  }

  /** What an error means for the page, and in words. Errors that are no answer of the server are defects: thrown on. */
  private sentence(error: unknown): string {
    if (error instanceof ServerGone) {
      this.connect("gone");
      this.later();
      return `${error.message} Your marks are kept; the page tries again by itself.`;
    }
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.connect("locked");
    if (error.code === "unknown_scene") this.listAnew();
    if (error.code === "unknown_dialogue") this.beginSession();
    return error.message;
  }

  private async listAnswers(scene: Scene): Promise<void> {
    const listed = await this.api.answers(scene.id);
    if (this.scene?.id !== scene.id || this.hasAnswers) return;
    const known = new Set(listed.map(({ id }) => id));
    this.answers = [...listed, ...this.answers.filter(({ id }) => !known.has(id))]; // one may have come meanwhile
    this.hasAnswers = true;
    if (this.open === null) this.show(this.answers.at(-1) ?? null);
    this.topics.changed("answers");
  }

  /** A new scene is opened, except over a question on its way or where the user has gone to another one since. */
  private expectScene(): (scene: Scene) => Promise<void> {
    const before = this.scene?.id;
    return async (scene) => {
      this.scenes = [scene, ...this.scenes.filter(({ id }) => id !== scene.id)];
      this.topics.changed("scenes");
      if (this.pending === null && this.scene?.id === before) await this.openScene(scene);
    };
  }

  /** Without marks the server would go on about those of the dialogue's last question, which the user has removed. */
  private sessionFor(numMarks: number): string | null {
    const last = this.answers.findLast(({ session }) => session === this.session);
    return numMarks === 0 && last !== undefined && last.regions.length > 0 ? null : this.session;
  }

  private hear(text: string, stop: AbortController): void {
    if (this.pending?.stop !== stop) return;
    this.pending = { ...this.pending, text: this.pending.text + text };
    this.topics.changed("pending");
  }

  private leaveScene(): void {
    this.stop();
    this.scene = null;
    this.drafts.scene = null;
    this.draft = EMPTY_DRAFT;
    this.drawing.begin([]);
    this.answers = [];
    this.show(null);
    this.topics.changed("scene", "display", "answers", "draft");
  }

  private keep(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    if (this.scene !== null) this.drafts.keep(this.scene.id, this.draft);
  }

  private connect(connection: Connection): void {
    this.connection = connection;
    this.topics.changed("connection");
  }

  /** The open scene has expired: the others are listed, once for however many requests were refused. */
  private listAnew(): void {
    if (this.isListing) return;
    this.isListing = true;
    void this.start().finally(() => { this.isListing = false; });
  }

  /** One attempt is planned at a time, however many requests have failed. */
  private later(): void {
    this.retry ??= setTimeout(() => {
      this.retry = null;
      if (this.connection === "gone" || this.connection === "loading") void this.start();
    }, RETRY_MILLISECONDS) as unknown as number;
  }
}
