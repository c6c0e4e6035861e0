/** Elements from names, attributes and children. Text is always text and never markup. */

type Child = Node | string | null;
type Attributes = Readonly<Record<string, string | number | boolean | null | ((event: Event) => void)>>;

/**
 * @param attributes `on...` takes a listener; true is a bare attribute; false and null leave it out.
 */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

export interface ButtonOptions {
  readonly label: string;
  readonly icon?: IconName;
  /** Shown beside the icon; without it the label is for voices and the tip only. */
  readonly text?: string;
  readonly look?: "plain" | "strong" | "quiet";
  readonly key?: string;
  readonly isPressed?: boolean;
  readonly isDisabled?: boolean;
  readonly onPress: () => void;
}

export function button({ label, icon: name, text, look = "plain", key, isPressed, isDisabled = false, onPress }: ButtonOptions): HTMLButtonElement {
  return element(
    "button",
    {
      type: "button",
      class: `${look}${text === undefined ? " square" : ""}`,
      title: key === undefined ? label : `${label} (${key})`,
      "aria-label": text === label ? null : label,
      "aria-pressed": isPressed === undefined ? null : String(isPressed),
      "aria-keyshortcuts": key === undefined ? null : key.replace("Ctrl", "Control"),
      "data-key": key ?? null,
      disabled: isDisabled,
      onclick: onPress,
    },
    name === undefined ? null : icon(name),
    text ?? null,
  );
}

/**
 * Switches a button on or off without taking it from the Tab key: one that is disabled in the hand drops the focus.
 * Its `onPress` is called all the same, and must find nothing to do.
 */
export function switchOn(made: HTMLButtonElement, isOn: boolean): void {
  made.setAttribute("aria-disabled", String(!isOn));
}

/** A spot of a region's colour with its number. */
export function numberSpot(number: number | string, colour: string): HTMLElement {
  const spot = element("span", { class: "spot" }, String(number));
  spot.style.backgroundColor = colour;
  return spot;
}

const ICONS = {
  hand: "M5 3l14 8-6 1.6L10 19z",
  point: "M12 4v5M12 15v5M4 12h5M15 12h5M12 12h.01",
  box: "M4 6h16v12H4z",
  circle: "M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z",
  polygon: "M12 3l8 6-3 11H7L4 9z",
  scribble: "M3 15c3-9 6-9 6-3s3 7 5 1 4-7 7-4",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M15 14l5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  close: "M6 6l12 12M18 6L6 18",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  blind: "M4 4l16 16M9.9 5.2A10 10 0 0 1 12 5c6 0 10 7 10 7a18 18 0 0 1-3.3 4M6.3 6.6A17 17 0 0 0 2 12s4 7 10 7a10 10 0 0 0 4.6-1.1",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18h.01",
  send: "M4 12h15M13 6l6 6-6 6",
  stop: "M7 7h10v10H7z",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  upload: "M12 16V5M7 9l5-5 5 5M5 20h14",
  marks: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4",
  fresh: "M12 5v14M5 12h14",
} as const;
export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}
