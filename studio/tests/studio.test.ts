import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Mark } from "../src/model/marks";
import { answer, freshStudio, json, refused, scene, Server, streamed, usual } from "./server";

const BOX: Mark = { kind: "box", coordinates: [10, 10, 50, 60] };
const ASK = "POST /scenes/a/ask";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("opens the first scene, and after a reload the one that was open, with its marks and question", async () => {
  new Server(usual());
  const before = freshStudio();
  await before.start();
  expect(before.scene?.id).toBe("a");
  await before.openScene(scene("b"));
  before.drawing.add(BOX);
  before.write("what is it");
  before.setDisplay({ low: 30 });
  const after = freshStudio();
  await after.start();
  expect(after.scene?.id).toBe("b");
  expect(after.drawing.marks.map(({ mark }) => mark)).toEqual([BOX]);
  expect(after.question).toBe("what is it");
  expect(after.display.low).toBe(30);
});

it("survives a draft that is broken", async () => {
  localStorage.setItem("earthgptx-studio/1/scene/a", "{");
  localStorage.setItem("earthgptx-studio/1/scene/b", '{"marks": [{"id": 3}, null, {"id": "x", "mark": {"kind": "box"}}], "question": 4}');
  new Server(usual());
  const studio = freshStudio();
  await studio.start();
  await studio.openScene(scene("b"));
  expect(studio.drawing.marks).toEqual([]);
  expect(studio.question).toBe("");
});

it("streams words, then shows the answer and goes on with its session", async () => {
  const server = new Server(usual({ [ASK]: () => streamed(["word", { text: "<Region 1>: " }], ["word", { text: "ship" }], ["answer", answer("1")]) }));
  const studio = freshStudio();
  await studio.start();
  const heard: string[] = [];
  studio.topics.on(["pending"], () => { if (studio.pending !== null) heard.push(studio.pending.text); });
  studio.drawing.add(BOX);
  studio.write("What is it?");
  await studio.ask();
  expect(heard).toEqual(["", "<Region 1>: ", "<Region 1>: ship"]);
  expect(studio.pending).toBeNull();
  expect(studio.open?.id).toBe("1");
  expect(studio.question).toBe("");
  studio.write("And now?");
  await studio.ask();
  const bodies = server.asked.filter(({ line }) => line === ASK).map(({ init }) => JSON.parse(init.body as string) as unknown);
  expect(bodies[0]).toMatchObject({ question: "What is it?", marks: [BOX], session: null, coordinates: "pixel", stream: true });
  expect(bodies[1]).toMatchObject({ question: "And now?", session: "s1" });
});

it("begins a new dialogue once the marks of the last one are gone", async () => {
  const marked = { ...answer("1"), regions: [{ number: 1, label: "ship", confidence: 1, mark: BOX, box: [10, 10, 50, 60], mask: null }] };
  const server = new Server(usual({ [ASK]: () => streamed(["answer", marked]) }));
  const studio = freshStudio();
  await studio.start();
  studio.write("a");
  await studio.ask();
  studio.drawing.set([]);
  studio.write("b");
  await studio.ask();
  expect(JSON.parse(server.asked.at(-1)?.init.body as string)).toMatchObject({ marks: [], session: null });
});

it("says when the queue is full, and when to come again", async () => {
  new Server(usual({ [ASK]: () => refused(429, "queue_full", "8 questions wait and 8 may.", { "Retry-After": "4" }) }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  await studio.ask();
  expect(studio.notice?.text).toBe("8 questions wait and 8 may.");
  expect((studio.notice?.retryAt ?? 0) - Date.now()).toBeGreaterThan(3000);
  expect(studio.question).toBe("What?");
});

it.each([
  ["an error in the stream", () => streamed(["word", { text: "a" }], ["error", { error: { code: "x", message: "It took too long." } }]), "It took too long.", "ready"],
  ["a stream that breaks off", () => streamed(["word", { text: "a" }]), undefined, "gone"],
])("says what happened after %s", async (_, reply, text, connection) => {
  vi.useFakeTimers();
  new Server(usual({ [ASK]: reply }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  await studio.ask();
  expect(studio.notice?.text).toBe(text);
  expect(studio.connection).toBe(connection);
  expect(studio.pending).toBeNull();
});

it("stops a question and hears no more of it", async () => {
  new Server(usual({
    [ASK]: (init) => new Promise((_, reject) => { init.signal?.addEventListener("abort", () => { reject(new DOMException("stopped", "AbortError")); }); }),
  }));
  const studio = freshStudio();
  await studio.start();
  studio.write("What?");
  const asking = studio.ask();
  studio.stop();
  await asking;
  expect(studio.pending).toBeNull();
  expect(studio.notice).toBeNull();
});

it("finds the server again when it comes back", async () => {
  vi.useFakeTimers();
  const server = new Server({ "GET /api/about": new TypeError("refused") });
  const studio = freshStudio();
  await studio.start();
  expect(studio.connection).toBe("gone");
  Object.assign(server.replies, usual());
  await vi.advanceTimersByTimeAsync(3100);
  expect(studio.connection).toBe("ready");
  expect(studio.scene?.id).toBe("a");
});

it("waits for the model", async () => {
  vi.useFakeTimers();
  const server = new Server(usual({ "GET /ready": refused(503, "model_not_ready", "Loading.") }));
  const studio = freshStudio();
  await studio.start();
  expect(studio.connection).toBe("loading");
  Object.assign(server.replies, usual());
  await vi.advanceTimersByTimeAsync(3100);
  expect(studio.connection).toBe("ready");
});

it("asks for a token, sends it and keeps it for the tab only", async () => {
  const guarded = (init: RequestInit): Response =>
    new Headers(init.headers).get("Authorization") === "Bearer secret" ? json({ scenes: [] }) : refused(401, "wrong_token", "A token.");
  new Server(usual({ "GET /scenes": guarded }));
  const studio = freshStudio();
  await studio.start();
  expect(studio.connection).toBe("locked");
  await studio.unlock("wrong");
  expect(studio.connection).toBe("locked");
  await studio.unlock("secret");
  expect(studio.connection).toBe("ready");
  for (let key = 0; key < localStorage.length; key++) expect(localStorage.getItem(localStorage.key(key) ?? "")).not.toContain("secret");
  expect(freshStudio().api.token).toBe("secret");
});

it("refuses files that the server would refuse, and says what the server says of others", async () => {
  const server = new Server(usual({ "POST /scenes": refused(415, "unreadable_imagery", "This is no image.") }));
  const studio = freshStudio();
  await studio.start();
  await studio.uploads.send([new File([], "empty.png"), new File([new Uint8Array(2000)], "big.tif"), new File(["<svg/>"], "a.svg")], "auto");
  expect(studio.uploads.list.map(({ refusal }) => refusal)).toEqual([
    "The file is empty.", "The file has 0.0 MB; at most 0.0 MB are taken.", "This is no image.",
  ]);
  expect(server.lines().filter((line) => line === "POST /scenes")).toHaveLength(1);
});

it("opens what was uploaded and forgets what was removed", async () => {
  new Server(usual({
    "POST /scenes": json(scene("c"), 201), "GET /scenes/c/answers": json({ answers: [] }), "DELETE /scenes/c": new Response(null, { status: 204 }),
  }));
  const studio = freshStudio();
  await studio.start();
  await studio.uploads.send([new File(["x"], "c.png")], "sar");
  expect(studio.scene?.id).toBe("c");
  studio.drawing.add(BOX);
  await studio.forgetScene(scene("c"));
  expect(studio.scene?.id).toBe("a");
  expect(localStorage.getItem("earthgptx-studio/1/scene/c")).toBeNull();
});
