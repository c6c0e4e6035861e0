/** What surrounds the panels: the bar, the tabs of narrow pages, notices, dialogs, light and dark. */

import type { Theme } from "../model/drafts";
import type { Vertex } from "../model/marks";
import type { Connection, Studio } from "../model/studio";
import { button, byId, element } from "./elements";

const TABS: readonly [string, string][] = [["ask", "Ask"], ["marks", "Marks"], ["scenes", "Scenes"], ["display", "Display"]];
const STATES: Record<Connection, string> = {
  connecting: "Connecting", ready: "", loading: "The model is loading", gone: "Server gone, trying again", locked: "A token is needed",
};
const NEXT_THEME: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

export interface Frame {
  readonly showPlace: (pixel: Vertex | null, resolution: number) => void;
  readonly announce: (text: string) => void;
  readonly toggleTheme: () => void;
  readonly openHelp: () => void;
  readonly closeHelp: () => void;
  readonly focusQuestion: () => void;
}

export function frame(studio: Studio): Frame {
  const help = byId("help") as HTMLDialogElement;
  const toggleTheme = (): void => {
    studio.drafts.theme = NEXT_THEME[studio.drafts.theme];
    wear(studio.drafts.theme);
    announce(`Theme: ${studio.drafts.theme}`);
  };
  const openHelp = (): void => { help.showModal(); };
  const closeHelp = (): void => { help.close(); };
  wear(studio.drafts.theme);
  byId("bar-actions").append(
    button({ label: "Light or dark", key: "T", icon: "theme", look: "quiet", onPress: toggleTheme }),
    button({ label: "Keyboard", key: "?", icon: "help", look: "quiet", onPress: openHelp }),
  );
  tabs(byId("tabs"), studio);
  notices(byId("notice"), studio);
  lock(byId("lock") as HTMLDialogElement, studio);
  emptiness(byId("empty"), studio);
  studio.topics.on(["connection"], () => {
    const state = byId("connection");
    state.textContent = STATES[studio.connection];
    state.dataset.state = studio.connection;
    state.hidden = studio.connection === "ready";
  });
  studio.topics.on(["scene"], () => {
    byId("scene-title").textContent = studio.scene?.name ?? "";
    document.title = studio.scene === null ? "EarthGPT-X studio" : `${studio.scene.name} · EarthGPT-X studio`;
  });
  const focusQuestion = (): void => {
    openTab("ask");
    byId("question").focus();
  };
  return { showPlace: placeLine(byId("place")), announce, toggleTheme, openHelp, closeHelp, focusQuestion };
}

function announce(text: string): void {
  byId("announcer").textContent = text;
}

function wear(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function placeLine(line: HTMLElement): Frame["showPlace"] {
  return (pixel, resolution) => {
    const zoom = resolution > 0 ? `${Math.round(100 / resolution)}%` : "";
    line.textContent = pixel === null ? zoom : `${Math.floor(pixel[0])}, ${Math.floor(pixel[1])}   ${zoom}`;
  };
}

function openTab(tab: string): void {
  document.body.dataset.tab = tab;
  for (const other of document.querySelectorAll<HTMLElement>("#tabs button")) {
    other.setAttribute("aria-current", String(other.dataset.tab === tab));
  }
}

/** On narrow pages one panel is seen at a time. */
function tabs(root: HTMLElement, studio: Studio): void {
  for (const [tab, name] of TABS) {
    root.append(element("button", { type: "button", "data-tab": tab, onclick: () => { openTab(tab); } }, name));
  }
  openTab("ask");
  studio.topics.on(["marks"], () => {
    const count = studio.drawing.marks.length;
    const tab = root.querySelector('[data-tab="marks"]');
    if (tab !== null) tab.textContent = count === 0 ? "Marks" : `Marks ${count}`;
  });
}

function notices(root: HTMLElement, studio: Studio): void {
  let clock = 0;
  studio.topics.on(["notice"], () => {
    clearInterval(clock);
    const { notice } = studio;
    const hadFocus = root.contains(document.activeElement);
    root.hidden = notice === null;
    if (notice === null) {
      if (hadFocus) byId("question").focus(); // the button that was pressed is gone
      root.replaceChildren();
      return;
    }
    const close = button({ label: "Dismiss", icon: "close", look: "quiet", onPress: () => { studio.dismissNotice(); } });
    const again = button({ label: "Ask again", text: "Ask again", onPress: () => { void studio.ask(); } });
    again.hidden = notice.retryAt === null;
    // Only the sentence is an alert: the countdown beside it is not to be read out every second.
    root.replaceChildren(element("p", { role: "alert" }, notice.text), again, close);
    const tick = (): void => {
      const seconds = Math.ceil(((notice.retryAt ?? 0) - Date.now()) / 1000);
      again.disabled = seconds > 0;
      again.textContent = seconds > 0 ? `Ask again in ${seconds} s` : "Ask again";
      if (seconds <= 0) clearInterval(clock);
    };
    if (notice.retryAt === null) return;
    tick();
    clock = window.setInterval(tick, 500);
  });
}

function lock(dialog: HTMLDialogElement, studio: Studio): void {
  const token = element("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const wrong = element("p", { class: "wrong", role: "alert" });
  const form = element(
    "form",
    {},
    element("h2", { id: "lock-title" }, "This server asks for a token"),
    element("p", {}, "Whoever started it has set one. It is kept until this tab closes."),
    element("label", { class: "field", for: "token" }, "Token", token),
    wrong,
    element("button", { type: "submit", class: "strong" }, "Unlock"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void studio.unlock(token.value.trim()).then(() => {
      wrong.textContent = studio.connection === "locked" ? "The server does not take this token." : "";
    });
  });
  dialog.append(form);
  // Escape puts the question off; the button brings it back.
  const reopen = button({ label: "Enter the token", text: "Enter the token", onPress: () => { dialog.showModal(); } });
  byId("bar-actions").prepend(reopen);
  studio.topics.on(["connection"], () => {
    const isLocked = studio.connection === "locked";
    reopen.hidden = !isLocked;
    if (isLocked && !dialog.open) dialog.showModal();
    if (!isLocked && dialog.open) dialog.close();
  });
}

function emptiness(root: HTMLElement, studio: Studio): void {
  root.append(
    element("h2", {}, "No scene yet"),
    element("p", {}, "Drop a PNG, JPEG or GeoTIFF here: optical, SAR or infrared, 8 to 32 bits."),
    element("label", { class: "strong", for: "file" }, "Choose a file"),
  );
  studio.topics.on(["scene", "connection"], () => {
    root.hidden = studio.scene !== null || studio.connection === "connecting" || studio.connection === "locked";
  });
}
