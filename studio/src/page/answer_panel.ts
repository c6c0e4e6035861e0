/** Questions and answers of the scene, oldest first; the one that streams comes last. */

import type { Answer, AnsweredRegion, ExportFormat } from "../http/types";
import { newId } from "../model/drawing";
import { markFromJson } from "../model/marks";
import { colourOf } from "../model/palette";
import type { Studio } from "../model/studio";
import { piecesOf, spoken, type Piece } from "../model/words";
import { button, element, numberSpot } from "./elements";

const FORMATS: readonly [ExportFormat, string][] = [["geojson", "GeoJSON"], ["png", "PNG"], ["json", "JSON"]];

export function answerPanel(root: HTMLElement, studio: Studio, announce: (text: string) => void): void {
  const list = element("ol", { class: "thread", "aria-labelledby": "answers-title", tabindex: 0 });
  const clear = button({
    label: "Clear all answers about this scene", text: "Clear", look: "quiet",
    onPress: () => { void studio.forgetAnswers(); },
  });
  root.append(element("div", { class: "row apart" }, element("h2", { id: "answers-title" }, "Answers"), clear), list);
  const streaming = new StreamingAnswer(studio);

  studio.topics.on(["answers", "layers"], () => {
    clear.hidden = studio.answers.length === 0;
    if (list.dataset.shown === stamp(studio)) return;
    list.dataset.shown = stamp(studio);
    if (list.contains(document.activeElement)) list.focus(); // its card is drawn anew
    list.replaceChildren(...studio.answers.map((answer, index) => answerCard(answer, studio, startsSession(studio.answers, index))));
    if (studio.answers.length === 0) list.append(nothing());
    if (studio.pending !== null) list.append(streaming.root);
    list.querySelector("li.open")?.scrollIntoView({ block: "nearest" });
  });
  studio.topics.on(["pending"], () => {
    const { pending } = studio;
    list.setAttribute("aria-busy", String(pending !== null));
    if (pending === null) {
      streaming.root.remove();
      if (list.childElementCount === 0) list.append(nothing());
      return;
    }
    list.querySelector("li.none")?.remove();
    streaming.show();
    if (!list.contains(streaming.root)) list.append(streaming.root);
    list.scrollTop = list.scrollHeight;
  });
  // Word by word an answer is no pleasure to listen to: a voice reads it when it is whole.
  studio.topics.on(["heard"], () => {
    if (studio.heard !== null) announce(`Answer: ${spoken(studio.heard.text)}`);
  });
  studio.topics.on(["hover"], () => {
    for (const reference of root.querySelectorAll<HTMLElement>(".reference")) {
      reference.classList.toggle("hovered", reference.dataset.region === String(studio.hovered));
    }
  });
}

function nothing(): HTMLLIElement {
  return element("li", { class: "none" }, "Nothing asked yet.");
}

function stamp(studio: Studio): string {
  return `${studio.answers.map(({ id }) => id).join(" ")}/${studio.open?.id ?? ""}`;
}

function startsSession(answers: readonly Answer[], index: number): boolean {
  return index > 0 && answers[index]?.session !== answers[index - 1]?.session;
}

/** The question on its way and the words that have come. */
class StreamingAnswer {
  private readonly question = element("p", { class: "question" });
  private readonly words = element("p", { class: "words" });
  private shown: readonly Piece[] = [];
  readonly root = element("li", { class: "streaming" }, this.question, this.words);

  constructor(private readonly studio: Studio) {}

  show(): void {
    const { pending } = this.studio;
    if (pending === null) return;
    this.question.textContent = pending.question;
    const hasWords = pending.text !== "";
    this.words.classList.toggle("waiting", !hasWords);
    if (hasWords) this.showPieces(piecesOf(pending.text, false));
    else {
      this.shown = [];
      this.words.textContent = "Looking";
    }
  }

  /** Only what is new is drawn, so that a region under the pointer or in focus stays the same element. */
  private showPieces(pieces: readonly Piece[]): void {
    const same = pieces.findIndex((piece, index) => JSON.stringify(piece) !== JSON.stringify(this.shown[index]));
    const numKept = this.shown.length === 0 || same < 0 ? Math.min(this.shown.length, pieces.length) : same;
    while (this.words.childNodes.length > numKept) this.words.lastChild?.remove();
    this.words.append(...pieces.slice(numKept).map((piece) => nodeOf(piece, this.studio)), element("span", { class: "caret" }));
    this.shown = pieces;
  }
}

function answerCard(answer: Answer, studio: Studio, isNewSession: boolean): HTMLLIElement {
  const isOpen = studio.open?.id === answer.id;
  const open = (): void => { if (studio.open?.id !== answer.id) studio.show(answer); };
  const card = element(
    "li",
    { class: `${isOpen ? "open" : ""}${isNewSession ? " fresh" : ""}`, onclick: open },
    element("button", { type: "button", class: "question", "aria-pressed": String(isOpen), title: "Show this answer on the map", onclick: open }, answer.question),
  );
  const said = answer.regions.filter(({ label }) => label !== "");
  // Where the words are nothing but the regions' lines, their list says it all.
  if (!isRegionList(answer.text, said.length)) card.append(element("p", { class: "words" }, ...wordsOf(answer.text, true, studio)));
  if (said.length > 0) card.append(element("ul", { class: "said", "aria-label": "Regions" }, ...said.map((region) => regionRow(region, studio))));
  card.append(footer(answer, studio));
  return card;
}

function isRegionList(text: string, numSaid: number): boolean {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.length === numSaid && lines.every((line) => /^\s*<region\s*\d+>\s*:/i.test(line));
}

function regionRow({ number, label, confidence }: AnsweredRegion, studio: Studio): HTMLLIElement {
  const meter = element("meter", { min: 0, max: 1, value: confidence, "aria-label": `Confidence of region ${number}` });
  return element("li", {}, reference(number, studio, true), element("span", { class: "label" }, label), meter, element("small", {}, `${Math.round(confidence * 100)}%`));
}

function footer(answer: Answer, studio: Studio): HTMLElement {
  const marks = answer.regions.map(({ mark }) => markFromJson(mark)).filter((mark) => mark !== null);
  const restore = button({
    label: "Put this question's marks back on the scene", text: "Marks", icon: "marks", look: "quiet",
    onPress: () => {
      studio.drawing.set(marks.map((mark) => ({ id: newId(), mark, label: "" })));
      const numLost = answer.regions.length - marks.length;
      if (numLost > 0) studio.say(`${numLost} of the ${answer.regions.length} marks have no outline to draw; the others are numbered anew.`);
    },
  });
  const exports = FORMATS.map(([format, name]) =>
    button({ label: `Export as ${name}`, text: name, icon: "save", look: "quiet", onPress: () => { void save(answer, format, studio); } }),
  );
  return element("div", { class: "exports", role: "group", "aria-label": "Export" }, ...exports, marks.length > 0 ? restore : null);
}

function wordsOf(text: string, isWhole: boolean, studio: Studio): (Node | string)[] {
  const pieces = piecesOf(text, isWhole);
  if (isWhole && pieces.length === 0) return [element("em", {}, "(no words)")];
  return pieces.map((piece) => nodeOf(piece, studio));
}

function nodeOf(piece: Piece, studio: Studio): Node | string {
  return piece.kind === "words" ? piece.text : reference(piece.number, studio, false);
}

/** A region's number in its colour; pointing at it or focusing it lights the mark up. */
function reference(number: number, studio: Studio, isShort: boolean): HTMLElement {
  const light = (): void => { studio.hover(number); };
  const dim = (): void => { studio.hover(null); };
  const spot = numberSpot(number, colourOf(number));
  if (!isShort) spot.setAttribute("aria-hidden", "true"); // or the number is said twice
  const made = element(
    "button",
    {
      type: "button", class: "reference", "data-region": number, "aria-label": isShort ? `Region ${number}` : null,
      onmouseenter: light, onmouseleave: dim, onfocus: light, onblur: dim,
      onclick: () => { studio.drawing.select(studio.drawing.marks[number - 1]?.id ?? null); },
    },
    spot,
    isShort ? null : `Region ${number}`,
  );
  made.style.setProperty("--region", colourOf(number));
  return made;
}

async function save(answer: Answer, format: ExportFormat, studio: Studio): Promise<void> {
  // Named after what is open now, which may be another scene once the file has come.
  const stem = (studio.scene?.name ?? "scene").replace(/\.[^.]*$/, "");
  const number = studio.answers.findIndex(({ id }) => id === answer.id) + 1;
  await studio.guarded(async () => {
    const file = await studio.api.exported(answer.scene, answer.id, format);
    const address = URL.createObjectURL(file);
    element("a", { href: address, download: `${stem}-answer-${number}.${format}` }).click();
    setTimeout(() => { URL.revokeObjectURL(address); }, 10_000);
  });
}
