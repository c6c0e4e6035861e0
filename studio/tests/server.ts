/** A server made of a table: what `fetch` is answered in tests. */

import { vi } from "vitest";
import { Api } from "../src/http/api";
import type { About, Answer, Scene } from "../src/http/types";
import { Drafts } from "../src/model/drafts";
import { Studio } from "../src/model/studio";

export const ABOUT: About = {
  version: "1", model: "nano", sensors: ["optical", "sar", "infrared"], tasks: [{ name: "Classify regions", question: "What is marked?" }],
  limits: { max_upload_bytes: 1000, max_pixels: 1_000_000, max_marks: 3, max_question_characters: 100 }, needs_token: false,
};

export function scene(id: string, size: Partial<Scene> = {}): Scene {
  return {
    id, name: `${id}.tif`, width: 640, height: 480, sensor: "optical", notes: [], is_georeferenced: false, crs: null, bounds_wgs84: null,
    ground_sample_distance: null, num_bands: 3, created: "2026-01-01T00:00:00Z", expires: null, tile_size: 256, max_zoom: 2, ...size,
  };
}

export function answer(id: string, text = "<Region 1>: ship"): Answer {
  return { id, session: "s1", scene: "a", question: "What?", text, words: text, regions: [], masks: [] };
}

export type Reply = Response | Error | ((init: RequestInit) => Response | Promise<Response>);

/** Answers by method and path; what is not in the table is a 404. */
export class Server {
  readonly asked: { line: string; init: RequestInit }[] = [];

  constructor(readonly replies: Record<string, Reply>) {
    vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}): Promise<Response> => {
      const line = `${init.method ?? "GET"} ${path}`;
      this.asked.push({ line, init });
      const reply = this.replies[line] ?? refused(404, "unknown_address", "There is no such address.");
      if (reply instanceof Error) throw reply;
      return reply instanceof Response ? reply.clone() : reply(init);
    });
  }

  lines(): string[] {
    return this.asked.map(({ line }) => line);
  }
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers });
}

export function refused(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return json({ error: { code, message, request_id: "r" } }, status, headers);
}

export function streamed(...events: [string, unknown][]): Response {
  return new Response(events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join(""));
}

/** The usual table: two scenes, no answers. */
export function usual(more: Record<string, Reply> = {}): Record<string, Reply> {
  return {
    "GET /api/about": json(ABOUT),
    "GET /ready": json({ status: "ready" }),
    "GET /scenes": json({ scenes: [scene("a"), scene("b")] }),
    "GET /scenes/a/answers": json({ answers: [] }),
    "GET /scenes/b/answers": json({ answers: [] }),
    ...more,
  };
}

export function freshStudio(): Studio {
  return new Studio(new Api(), new Drafts(localStorage, sessionStorage));
}
