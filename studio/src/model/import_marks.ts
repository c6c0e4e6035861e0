/** A file of GeoJSON becomes marks of the open scene, as one step that can be undone. */

import { newId } from "./drawing";
import { readFeatures } from "./geojson";
import { markFromJson, type PlacedMark } from "./marks";
import type { Studio } from "./studio";
import { isReadable, megabytes } from "./uploads";

const MAX_BYTES = 20e6; // more would hold the page up for seconds

/** Degrees where the scene lies on the map, else pixels; a feature that says itself what it is in is believed. */
export async function importMarks(file: File, studio: Studio): Promise<void> {
  const { scene, drawing } = studio;
  const refuse = (sentence: string): void => { studio.say(`${file.name}: ${sentence}`); };
  if (scene === null) {
    refuse("Open a scene first; marks are laid on the one that is open.");
    return;
  }
  if (file.size > MAX_BYTES) {
    refuse(`It has ${megabytes(file.size)}; a file of marks has at most ${megabytes(MAX_BYTES)}.`);
    return;
  }
  if (!(await isReadable(file))) {
    refuse("It cannot be read: a folder, or a file that is gone or locked.");
    return;
  }
  const read = readFeatures(await file.text(), drawing.marks.length, studio.maxMarks);
  if (typeof read === "string") {
    refuse(read);
    return;
  }
  await studio.guarded(async () => {
    const placed = await studio.api.place(scene.id, read.collection, scene.is_georeferenced ? "wgs84" : "pixel");
    if (studio.scene?.id !== scene.id) return; // they were meant for the scene that was open
    const marks = placed.flatMap((item, index): PlacedMark[] => {
      const mark = markFromJson(item);
      return mark === null ? [] : [{ id: newId(), mark, label: read.labels[index] ?? "" }];
    });
    if (marks.length < placed.length) refuse(`${placed.length - marks.length} of its ${placed.length} marks cannot be drawn.`);
    else drawing.addAll(marks);
  });
}
