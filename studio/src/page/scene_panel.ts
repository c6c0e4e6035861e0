/** The list of scenes, with uploads dropped or chosen and their sensor. */

import { ApiError } from "../http/api";
import type { Scene } from "../http/types";
import { importMarks } from "../model/import_marks";
import type { Studio } from "../model/studio";
import { button, element, icon } from "./elements";

export function scenePanel(root: HTMLElement, studio: Studio): void {
  const sensor = element("select", { id: "sensor" }, new Option("auto", "auto"));
  const picker = element("input", {
    type: "file", multiple: true, id: "file", class: "unseen",
    onchange: () => {
      take([...(picker.files ?? [])]);
      picker.value = "";
    },
  });
  const drop = element(
    "label",
    { class: "drop", for: "file" },
    icon("upload"),
    element("span", {}, element("b", {}, "Add a scene"), element("small", {}, "Drop a file here, or choose one")),
  );
  const uploads = element("ul", { class: "uploads", "aria-label": "Uploads", "aria-live": "polite" });
  const list = element("ul", { class: "scenes", "aria-labelledby": "scenes-title" });
  root.append(
    element("h2", { id: "scenes-title" }, "Scenes"),
    element("div", { class: "adding" }, picker, drop, element("label", { class: "field", for: "sensor" }, "Sensor", sensor)),
    uploads,
    list,
  );

  function take(files: readonly File[]): void {
    const isOfMarks = (file: File): boolean => /\.(geo)?json$/i.test(file.name);
    for (const file of files.filter(isOfMarks)) void importMarks(file, studio);
    void studio.uploads.send(files.filter((file) => !isOfMarks(file)), sensor.value);
  }
  acceptDrops(take);

  studio.topics.on(["connection"], () => {
    if (studio.about === null || sensor.options.length > 1) return;
    sensor.append(...studio.about.sensors.filter((name) => name !== "auto").map((name) => new Option(name, name)));
  });
  studio.topics.on(["uploads"], () => {
    uploads.replaceChildren(
      ...studio.uploads.list.map(({ id, name, refusal, isWaiting }) =>
        element(
          "li",
          { class: refusal === null ? "busy" : "refused" },
          element("span", {}, element("b", {}, name), refusal ?? (isWaiting ? "Waiting" : "Uploading")),
          button({
            label: refusal === null ? `Cancel ${name}` : `Dismiss ${name}`, icon: "close", look: "quiet",
            onPress: () => {
              studio.uploads.dismiss(id);
              picker.focus(); // the button that was pressed is gone
            },
          }),
        ),
      ),
    );
  });
  const thumbnails = new Map<string, HTMLCanvasElement>();
  studio.topics.on(["scenes", "scene"], () => {
    const kept = new Set(studio.scenes.map(({ id }) => id));
    for (const id of thumbnails.keys()) if (!kept.has(id)) thumbnails.delete(id);
    list.replaceChildren(...studio.scenes.map((scene) => sceneRow(scene, studio, thumbnails)));
  });
}

function sceneRow(scene: Scene, studio: Studio, thumbnails: Map<string, HTMLCanvasElement>): HTMLLIElement {
  const isOpen = studio.scene?.id === scene.id;
  const facts = [scene.sensor, `${scene.width} × ${scene.height}`];
  return element(
    "li",
    { class: isOpen ? "open" : "" },
    element(
      "button",
      {
        type: "button", class: "scene", "aria-current": isOpen ? "true" : null, title: scene.name,
        onclick: () => { void studio.openScene(scene); },
      },
      thumbnailOf(scene, studio, thumbnails),
      element("span", {}, element("b", {}, scene.name), element("small", {}, facts.join(" · "))),
    ),
    button({ label: `Remove ${scene.name}`, icon: "trash", look: "quiet", onPress: () => { void studio.forgetScene(scene); } }),
  );
}

function thumbnailOf(scene: Scene, studio: Studio, thumbnails: Map<string, HTMLCanvasElement>): HTMLCanvasElement {
  const known = thumbnails.get(scene.id);
  if (known !== undefined) return known;
  const canvas = element("canvas", { width: 72, height: 72, "aria-hidden": "true" });
  thumbnails.set(scene.id, canvas);
  void studio.guarded(async () => {
    try {
      const picture = await studio.api.picture(`/scenes/${scene.id}/thumbnail.png`);
      const side = Math.min(picture.width, picture.height); // the middle, filled
      const [x, y] = [(picture.width - side) / 2, (picture.height - side) / 2];
      canvas.getContext("2d")?.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height);
      picture.close();
    } catch (error) {
      thumbnails.delete(scene.id); // the next time the list is drawn it is asked for again
      if (!(error instanceof ApiError) || error.status === 401) throw error; // without one a scene is listed all the same
    }
  });
  return canvas;
}

/** Files may be dropped anywhere on the page. */
function acceptDrops(take: (files: readonly File[]) => void): void {
  let depth = 0; // children fire their own enter and leave
  const mark = (): void => { document.body.classList.toggle("dropping", depth > 0); };
  const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  window.addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) depth++;
    mark();
  });
  window.addEventListener("dragleave", (event) => {
    if (holdsFiles(event)) depth = Math.max(0, depth - 1);
    mark();
  });
  window.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark();
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
