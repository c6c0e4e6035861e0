import { expect, it } from "vitest";
import { piecesOf, spoken } from "../src/model/words";

it("parts words from regions and drops the model's tokens", () => {
  expect(piecesOf("<Region 1>: <p>two ships</p> <pix>.\n<Region 12>: quay")).toEqual([
    { kind: "region", number: 1 },
    { kind: "words", text: ": two ships.\n" },
    { kind: "region", number: 12 },
    { kind: "words", text: ": quay" },
  ]);
});

it("holds a half token back while words still come", () => {
  const whole = "see <Region 3> there";
  for (let end = 0; end <= whole.length; end++) {
    const shown = piecesOf(whole.slice(0, end), false);
    expect(shown.some((piece) => piece.kind === "words" && piece.text.includes("<"))).toBe(false);
  }
  expect(piecesOf("a < b", true)).toEqual([{ kind: "words", text: "a < b" }]);
});

it("is said aloud", () => {
  expect(spoken("<Region 2>: a ship <pix>")).toBe("Region 2: a ship");
});

it("says where an answer is nothing but a mask", () => {
  expect(spoken("<Region 1>: <pix>\n<Region 2>: ship <pix>")).toBe("Region 1: its mask\nRegion 2: ship");
});
