/** The question box: the paper's tasks as suggestions, how many marks go along, asking and stopping. */

import type { Task } from "../http/types";
import type { Studio } from "../model/studio";
import { button, element } from "./elements";

export function questionForm(root: HTMLElement, studio: Studio): void {
  const box = element("textarea", {
    id: "question", rows: 2, placeholder: "Ask about the marks, or the whole scene", "aria-describedby": "ask-hint",
    oninput: () => {
      studio.write(box.value);
      fit();
    },
    onkeydown: (event) => {
      const { key, shiftKey, isComposing } = event as KeyboardEvent;
      if (key !== "Enter" || shiftKey || isComposing) return;
      event.preventDefault();
      void studio.ask();
    },
  });
  const send = element("button", { type: "submit", class: "strong", id: "send" }, "Ask");
  const stop = button({ label: "Stop", text: "Stop", icon: "stop", key: "Escape", onPress: () => { studio.stop(); } });
  const fresh = button({ label: "Begin a new dialogue", text: "New dialogue", look: "quiet", onPress: () => { studio.beginSession(); } });
  const hint = element("small", { id: "ask-hint" });
  const tasks = element("div", { class: "tasks", role: "group", "aria-label": "Suggested questions" });
  root.append(
    tasks,
    element("label", { class: "unseen", for: "question" }, "Question"),
    box,
    element("div", { class: "row apart" }, hint, element("span", { class: "row" }, fresh, stop, send)),
  );
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    void studio.ask();
  });

  function fit(): void {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 180)}px`;
  }

  studio.topics.on(["draft"], () => {
    if (box.value !== studio.question) box.value = studio.question;
    fresh.hidden = studio.session === null;
    fit();
  });
  studio.topics.on(["connection"], () => {
    const { about } = studio;
    if (about === null || tasks.childElementCount > 0) return;
    box.maxLength = about.limits.max_question_characters;
    tasks.append(...about.tasks.map((task) => suggestion(task, studio, box)));
  });
  studio.topics.on(["marks", "pending", "scene", "connection"], () => {
    const count = studio.drawing.marks.length;
    hint.textContent = count === 0 ? "About the whole scene" : `With ${count} ${count === 1 ? "mark" : "marks"}`;
    const isBusy = studio.pending !== null;
    send.hidden = isBusy;
    stop.hidden = !isBusy;
    send.disabled = studio.scene === null || studio.connection === "gone" || studio.connection === "locked";
    box.disabled = studio.scene === null;
  });
}

function suggestion(task: Task, studio: Studio, box: HTMLTextAreaElement): HTMLElement {
  return button({
    label: `${task.name}: ${task.question}`, text: task.name, look: "quiet",
    onPress: () => {
      studio.suggest(task.question);
      box.focus();
    },
  });
}
