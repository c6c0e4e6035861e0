import { expect, it } from "vitest";
import { EventReader, eventsOf } from "../src/http/events";

const STREAM = 'event: word\r\ndata: {"text": "a ship"}\r\n\r\n: still here\n\nevent: answer\ndata: {\ndata: "id": 1}\n\ndata: plain\n\n';
const EVENTS = [
  { name: "word", data: '{"text": "a ship"}' },
  { name: "answer", data: '{\n"id": 1}' },
  { name: "message", data: "plain" },
];

it.each([1, 2, 3, 7, 1000])("reads events cut into pieces of %d characters", (size) => {
  const reader = new EventReader();
  const events = [];
  for (let start = 0; start < STREAM.length; start += size) events.push(...reader.push(STREAM.slice(start, start + size)));
  expect(events).toEqual(EVENTS);
});

it("reads bytes whose characters are cut", async () => {
  const bytes = new TextEncoder().encode("event: word\ndata: größer\n\n");
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const events = [];
  for await (const event of eventsOf(body)) events.push(event);
  expect(events).toEqual([{ name: "word", data: "größer" }]);
});
