/** What the server sends and takes, as its OpenAPI document says. Pixels: x right, y down, from the top left corner. */

import type { Mark } from "../model/marks";

export interface About {
  readonly version: string;
  readonly model: string;
  readonly sensors: readonly string[];
  readonly tasks: readonly Task[];
  readonly limits: Limits;
  readonly needs_token: boolean;
}

export interface Task {
  readonly name: string;
  readonly question: string;
}

export interface Limits {
  readonly max_upload_bytes: number;
  readonly max_pixels: number;
  readonly max_marks: number;
  readonly max_question_characters: number;
}

export interface Scene {
  readonly id: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly sensor: string;
  readonly notes: readonly string[];
  readonly is_georeferenced: boolean;
  readonly crs: string | null;
  readonly bounds_wgs84: readonly [number, number, number, number] | null;
  readonly ground_sample_distance: number | null;
  readonly num_bands: number;
  readonly created: string;
  readonly expires: string | null;
  readonly tile_size: number;
  readonly max_zoom: number;
}

export type Corners = readonly [number, number, number, number];

export interface AnsweredRegion {
  readonly number: number;
  readonly label: string;
  readonly confidence: number;
  readonly mark: unknown;
  readonly box: Corners;
  readonly mask: number | null;
}

export interface AnsweredMask {
  readonly region: number | null;
  readonly phrase: string | null;
  readonly confidence: number;
  readonly box: Corners | null;
  readonly area_px: number;
  /** Height, then width. */
  readonly size: readonly [number, number];
  /** COCO's compressed run lengths, column by column. */
  readonly counts: string;
}

export interface Answer {
  readonly id: string;
  readonly session: string;
  readonly scene: string;
  readonly question: string;
  readonly text: string;
  readonly words: string;
  readonly regions: readonly AnsweredRegion[];
  readonly masks: readonly AnsweredMask[];
}

export interface Question {
  readonly question: string;
  readonly marks: readonly Mark[];
  readonly session: string | null;
}

export type ExportFormat = "geojson" | "png" | "json";
