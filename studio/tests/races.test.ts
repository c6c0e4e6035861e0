/** What comes late, comes twice or does not come: the page must not mix things up. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { eventsOf } from "../src/http/events";
import { importMarks } from "../src/model/import_marks";
import type { Mark } from "../src/model/marks";
import { answer, freshStudio, json, refused, scene, Server, streamed, usual } from "./server";

const BOX: Mark = { kind: "box", coordinates: [10, 10, 50, 60] };
const ASK = "POST /scenes/a/ask";
const ANSWERS = "GET /scenes/a/answers";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A reply that comes when it is told to. */
function later(): { reply: () => Promise<Response>; come: (response: Response) => void } {
  let come: (response: Response) => void = () => undefined;
  const coming = new Promise<Response>((done) => { come = done; });
  return { reply: () => coming, come: (response) => { come(response); } };
}

it("drops an answer that comes after another scene was opened", async () => {
  const slow = later();
  new Server(usual({ [ASK]: slow.reply }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  const asking = studio.ask();
  await studio.openScene(scene("b"));
  slow.come(streamed(["word", { text: "a ship" }], ["answer", answer("1")]));
  await asking;
  expect(studio.answers).toEqual([]);
  expect(studio.pending).toBeNull();
  expect(studio.session).toBeNull();
});

it("keeps what was written while the answer came", async () => {
  const slow = later();
  new Server(usual({ [ASK]: slow.reply }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  const asking = studio.ask();
  studio.write("And how long is it?");
  slow.come(streamed(["answer", answer("1")]));
  await asking;
  expect(studio.question).toBe("And how long is it?");
});

it("stops the question of a scene that is removed, even the last one", async () => {
  const slow = later();
  new Server(usual({ "GET /scenes": json({ scenes: [scene("a")] }), "DELETE /scenes/a": new Response(null, { status: 204 }), [ASK]: slow.reply }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  const asking = studio.ask();
  await studio.forgetScene(scene("a"));
  expect(studio.pending).toBeNull();
  slow.come(streamed(["answer", answer("1")]));
  await asking;
  expect(studio.answers).toEqual([]);
});

it("does not clear another scene's answers when the server has cleared this one's", async () => {
  const slow = later();
  new Server(usual({
    [ANSWERS]: json({ answers: [answer("1")] }), "GET /scenes/b/answers": json({ answers: [answer("2")] }), "DELETE /scenes/a/answers": slow.reply,
  }));
  const studio = freshStudio();
  await studio.start();
  const clearing = studio.forgetAnswers();
  await studio.openScene(scene("b"));
  slow.come(new Response(null, { status: 204 }));
  await clearing;
  expect(studio.answers.map(({ id }) => id)).toEqual(["2"]);
});

it("adds the list of old answers to one that came before it", async () => {
  const slow = later();
  new Server(usual({ [ANSWERS]: slow.reply, [ASK]: () => streamed(["answer", answer("2")]) }));
  const studio = freshStudio();
  const starting = studio.start();
  await vi.waitFor(() => { expect(studio.scene).not.toBeNull(); });
  studio.write("What?");
  await studio.ask();
  slow.come(json({ answers: [answer("1")] }));
  await starting;
  expect(studio.answers.map(({ id }) => id)).toEqual(["1", "2"]);
  expect(studio.open?.id).toBe("2");
});

it("stops an upload that is cancelled, and those that wait go on", async () => {
  const server = new Server(usual({
    "GET /scenes/c/answers": json({ answers: [] }),
    "POST /scenes": async (init) => {
      const name = ((init.body as FormData).get("file") as File).name;
      if (name === "slow.png") await new Promise((_, drop) => init.signal?.addEventListener("abort", () => { drop(new DOMException("", "AbortError")); }));
      return json(scene("c"), 201);
    },
  }));
  const studio = freshStudio();
  await studio.start();
  const files = ["slow.png", "dropped.png", "good.png"].map((name) => new File(["x"], name));
  const sending = studio.uploads.send(files, "auto");
  expect(studio.uploads.list.map(({ isWaiting }) => isWaiting)).toEqual([false, true, true]);
  await vi.waitFor(() => { expect(server.lines()).toContain("POST /scenes"); });
  const [slow, dropped] = studio.uploads.list;
  studio.uploads.dismiss(dropped?.id ?? 0);
  studio.uploads.dismiss(slow?.id ?? 0);
  await sending;
  expect(studio.uploads.list).toEqual([]);
  expect(studio.notice).toBeNull();
  expect(studio.connection).toBe("ready");
  expect(server.lines().filter((line) => line === "POST /scenes")).toHaveLength(2);
  expect(studio.scenes.map(({ id }) => id)).toEqual(["c", "a", "b"]);
});

it("does not open an upload over a question on its way, nor where the user has gone on", async () => {
  const slow = later();
  const asked = later();
  new Server(usual({ "POST /scenes": slow.reply, [ASK]: asked.reply }));
  const studio = freshStudio();
  await studio.start();
  const sending = studio.uploads.send([new File(["x"], "c.png")], "auto");
  studio.write("What?");
  const asking = studio.ask();
  slow.come(json(scene("c"), 201));
  await sending;
  expect(studio.scene?.id).toBe("a");
  expect(studio.scenes.map(({ id }) => id)).toEqual(["c", "a", "b"]);
  asked.come(streamed(["answer", answer("1")]));
  await asking;
  expect(studio.answers).toHaveLength(1);
});

it("tries again once, however much has failed, and lists the answers that it could not", async () => {
  vi.useFakeTimers();
  const server = new Server(usual({ [ANSWERS]: new TypeError("refused") }));
  const studio = freshStudio();
  await studio.start();
  const gone = (): Promise<void> => studio.guarded(async () => { await studio.api.picture("/scenes/a/thumbnail.png"); });
  server.replies["GET /scenes/a/thumbnail.png"] = new TypeError("refused");
  await Promise.all([gone(), gone(), gone(), gone()]);
  expect(studio.connection).toBe("gone");
  server.asked.length = 0;
  server.replies[ANSWERS] = json({ answers: [answer("1")] });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(server.lines().filter((line) => line === "GET /api/about")).toHaveLength(1);
  expect(studio.answers).toHaveLength(1);
});

it("goes on with another scene, once, when tiles say that the open one has expired", async () => {
  const server = new Server(usual());
  const studio = freshStudio();
  await studio.start();
  server.replies["GET /scenes"] = json({ scenes: [scene("b")] });
  server.replies["GET /tile"] = refused(404, "unknown_scene", "There is no scene a: it has expired or never was.");
  server.asked.length = 0;
  await Promise.all([1, 2, 3].map(() => studio.guarded(async () => { await studio.api.picture("/tile"); })));
  await vi.waitFor(() => { expect(studio.scene?.id).toBe("b"); });
  expect(server.lines().filter((line) => line === "GET /api/about")).toHaveLength(1);
  expect(studio.notice?.text).toContain("expired");
});

it("cannot be locked out by a token that no header carries", async () => {
  const server = new Server(usual({ "GET /scenes": refused(401, "wrong_token", "A token.") }));
  const studio = freshStudio();
  await studio.start();
  const before = server.asked.length;
  await studio.unlock("tökén €");
  expect(studio.connection).toBe("locked");
  expect(server.asked).toHaveLength(before);
  expect(freshStudio().api.token).toBeNull();
});

it("takes a dropped folder for what it is, and no server for gone", async () => {
  new Server(usual());
  const studio = freshStudio();
  await studio.start();
  const folder = new File(["x"], "scenes");
  folder.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotFoundError")) }) as unknown as Blob;
  await studio.uploads.send([folder], "auto");
  expect(studio.uploads.list[0]?.refusal).toBe("It cannot be read: a folder, or a file that is gone or locked.");
  expect(studio.connection).toBe("ready");
});

it("lets go of the connection when the answer is there", async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(controller) { controller.enqueue(new TextEncoder().encode("event: answer\ndata: 1\n\n")); },
    cancel() { isCancelled = true; },
  });
  for await (const { name } of eventsOf(body)) if (name === "answer") break;
  expect(isCancelled).toBe(true);
});

it("throws a defect on, and does not call it a server that is gone", async () => {
  new Server(usual({ [ASK]: () => streamed(["word", { text: "a" }], ["answer", answer("1")]) }));
  const studio = freshStudio();
  await studio.start();
  const hear = (): void => { throw new RangeError("a defect"); };
  await expect(studio.api.ask("a", { question: "What?", marks: [], session: null }, hear, new AbortController().signal)).rejects.toThrow(RangeError);
});

it("reads broken drafts of every form, and forgets those of scenes that are gone", async () => {
  const mark = { id: "x", mark: BOX, label: "" };
  localStorage.setItem("earthgptx-studio/1/scene/a", JSON.stringify({ marks: [mark, mark], display: { bands: 5, low: "x" } }));
  localStorage.setItem("earthgptx-studio/1/scene/b", "7");
  localStorage.setItem("earthgptx-studio/1/scene/gone", "{}");
  new Server(usual());
  const studio = freshStudio();
  await studio.start();
  expect(studio.drawing.marks).toHaveLength(1);
  expect(studio.display).toEqual({ low: null, high: null, bands: null, isSmooth: true });
  await studio.openScene(scene("b"));
  expect(studio.drawing.marks).toEqual([]);
  expect(localStorage.getItem("earthgptx-studio/1/scene/gone")).toBeNull();
});

const FILE = new File([JSON.stringify({ type: "FeatureCollection", features: [{ type: "Feature", properties: { label: "quay" }, geometry: { type: "Point", coordinates: [3, 4] } }] })], "marks.geojson");
const PLACE = "POST /scenes/a/marks";
const PLACED = json({ marks: [{ kind: "point", coordinates: [3, 4] }] });

it.each([[false, "pixel"], [true, "wgs84"]])("imports marks as one step: on the map %s, in %s", async (is_georeferenced, coordinates) => {
  const server = new Server(usual({ "GET /scenes": json({ scenes: [scene("a", { is_georeferenced })] }), [PLACE]: PLACED }));
  const studio = freshStudio();
  await studio.start();
  studio.drawing.add(BOX);
  await importMarks(FILE, studio);
  expect(studio.drawing.marks.map(({ mark, label }) => [mark.kind, label])).toEqual([["box", ""], ["point", "quay"]]);
  expect(JSON.parse(server.asked.at(-1)?.init.body as string)).toMatchObject({ coordinates });
  studio.drawing.undo();
  expect(studio.drawing.marks).toHaveLength(1);
});

it("says why marks cannot be imported", async () => {
  new Server(usual({ [PLACE]: refused(422, "mark_outside_image", "The point in (900, 4) lies outside the 640 x 480 image.") }));
  const studio = freshStudio();
  await importMarks(FILE, studio);
  expect(studio.notice?.text).toBe("marks.geojson: Open a scene first; marks are laid on the one that is open.");
  await studio.start();
  await importMarks(FILE, studio);
  expect(studio.notice?.text).toBe("The point in (900, 4) lies outside the 640 x 480 image.");
  await importMarks(new File(["{"], "a.json"), studio);
  expect(studio.notice?.text).toBe("a.json: It is not JSON, and so not GeoJSON.");
  expect(studio.drawing.marks).toEqual([]);
});

it("does not lay imported marks on another scene", async () => {
  const slow = later();
  new Server(usual({ [PLACE]: slow.reply }));
  const studio = freshStudio();
  await studio.start();
  const importing = importMarks(FILE, studio);
  await studio.openScene(scene("b"));
  slow.come(PLACED);
  await importing;
  expect(studio.drawing.marks).toEqual([]);
});
