/** Server-sent events: bytes of a response come in, named events go out. It knows nothing of what they mean. */

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** Cuts text into events as it arrives; an event may lie across any number of pieces. */
export class EventReader {
  private rest = "";
  private name = "";
  private data: string[] = [];

  /** Gives the events that this piece completes. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const text = this.rest + piece;
    // A carriage return at the very end may be half of a line end: it waits for the next piece.
    const cut = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, cut).split(/\r\n|\r|\n/);
    this.rest = (lines.pop() ?? "") + text.slice(cut);
    for (const line of lines) {
      const event = this.readLine(line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  private readLine(line: string): ServerEvent | null {
    if (line === "") {
      const event = this.data.length > 0 ? { name: this.name || "message", data: this.data.join("\n") } : null;
      this.name = "";
      this.data = [];
      return event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null; // a comment, which keeps the line open
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    if (field === "data") this.data.push(value);
    return null;
  }
}

/** The events of a response's body until it ends; who stops listening before lets go of the connection. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const events = new EventReader();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* events.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined); // one that has broken off cannot be cancelled either
    reader.releaseLock();
  }
}
