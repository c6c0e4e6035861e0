/** The server's addresses as functions. Every refusal becomes an ApiError; a server that is not there, a ServerGone. */

import { eventsOf, type ServerEvent } from "./events";
import type { About, Answer, ExportFormat, Question, Scene } from "./types";

const MAX_NEW_TOKENS = 256;

/** The server answered, and said no. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null = null,
    /** Seconds to wait, where the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** Nobody answered. */
export class ServerGone extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

export class Api {
  token: string | null = null;

  constructor(private readonly origin = "") {}

  about(): Promise<About> {
    return this.json<About>("/api/about");
  }

  async isReady(): Promise<boolean> {
    try {
      await (await this.fetch("/ready")).text(); // a body left unread keeps its connection
      return true;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  }

  async scenes(): Promise<readonly Scene[]> {
    return (await this.json<{ scenes: readonly Scene[] }>("/scenes")).scenes;
  }

  upload(file: File, sensor: string, signal: AbortSignal): Promise<Scene> {
    const body = new FormData();
    body.append("file", file, file.name);
    body.append("sensor", sensor);
    return this.json<Scene>("/scenes", { method: "POST", body, signal });
  }

  async forget(scene: string): Promise<void> {
    await this.fetch(`/scenes/${scene}`, { method: "DELETE" });
  }

  async answers(scene: string): Promise<readonly Answer[]> {
    return (await this.json<{ answers: readonly Answer[] }>(`/scenes/${scene}/answers`)).answers;
  }

  async forgetAnswers(scene: string): Promise<void> {
    await this.fetch(`/scenes/${scene}/answers`, { method: "DELETE" });
  }

  /** Marks of a GeoJSON collection in the scene's pixels, as the server gives them. */
  async place(scene: string, collection: unknown, coordinates: "pixel" | "wgs84"): Promise<readonly unknown[]> {
    const body = JSON.stringify({ marks: collection, coordinates });
    const headers = { "Content-Type": "application/json" };
    return (await this.json<{ marks: readonly unknown[] }>(`/scenes/${scene}/marks`, { method: "POST", headers, body })).marks;
  }

  async exported(scene: string, answer: string, format: ExportFormat): Promise<Blob> {
    return (await this.fetch(`/scenes/${scene}/answers/${answer}.${format}`)).blob();
  }

  async picture(path: string, signal?: AbortSignal): Promise<ImageBitmap> {
    const response = await this.fetch(path, signal ? { signal } : {});
    return createImageBitmap(await response.blob());
  }

  /** Asks, hands on the words as they come, and gives the whole answer at the end. */
  async ask(scene: string, question: Question, onWord: (text: string) => void, signal: AbortSignal): Promise<Answer> {
    const response = await this.fetch(`/scenes/${scene}/ask`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify({
        ...question,
        coordinates: "pixel",
        max_new_tokens: MAX_NEW_TOKENS,
        temperature: 0,
        stream: true,
      }),
      signal,
    });
    if (response.body === null) throw new ServerGone();
    for await (const { name, data } of this.arriving(response.body, signal)) {
      if (name === "word") onWord((JSON.parse(data) as { text: string }).text);
      if (name === "answer") return JSON.parse(data) as Answer;
      if (name === "error") throw refusal(response.status, JSON.parse(data), null);
    }
    throw new ServerGone(); // the stream ended before the answer
  }

  /** Only what breaks off while it arrives is a server that is gone; an error of who hears it is thrown on as it is. */
  private async *arriving(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const events = eventsOf(body);
    try {
      for (;;) {
        const next = await events.next().catch((error: unknown) => {
          throw signal.aborted ? error : new ServerGone();
        });
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await events.return(undefined);
    }
  }

  private async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await (await this.fetch(path, init)).json()) as T;
  }

  private async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== null) headers.set("Authorization", `Bearer ${this.token}`);
    let response: Response;
    try {
      response = await fetch(this.origin + path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ServerGone();
    }
    if (!response.ok) {
      const body: unknown = await response.json().catch(() => null);
      throw refusal(response.status, body, response.headers.get("Retry-After"));
    }
    return response;
  }
}

function refusal(status: number, body: unknown, retryAfter: string | null): ApiError {
  const error = (body as { error?: Record<string, unknown> } | null)?.error ?? {};
  const text = (member: string): string | null => (typeof error[member] === "string" ? error[member] : null);
  const seconds = Number.parseFloat(retryAfter ?? "");
  return new ApiError(
    status,
    text("code") ?? "unknown",
    text("message") ?? `The server refused with status ${status}.`,
    text("request_id"),
    Number.isFinite(seconds) ? seconds : null,
  );
}
