/** Files on their way to the server, one after the other, and why some were refused. */

import type { Api } from "../http/api";
import type { Scene } from "../http/types";

export interface Upload {
  readonly id: number;
  readonly name: string;
  /** Why it was refused; null while it is on its way. */
  readonly refusal: string | null;
}

/** What uploads need of their surroundings. */
export interface UploadSurroundings {
  readonly api: Api;
  maxBytes(): number;
  /** What an error means, in words. */
  sentence(error: unknown): string;
  /** Called before the first byte goes; gives what is to be done with the scene. */
  expect(): (scene: Scene) => Promise<void>;
  changed(): void;
}

export class Uploads {
  list: readonly Upload[] = [];
  private count = 0;

  constructor(private readonly around: UploadSurroundings) {}

  async send(files: readonly File[], sensor: string): Promise<void> {
    for (const file of files) {
      const upload: Upload = { id: ++this.count, name: file.name, refusal: null };
      this.set([...this.list, upload]);
      const refusal = await this.refusalOf(file);
      if (refusal === null) await this.sendOne(file, sensor, upload.id);
      else this.refuse(upload.id, refusal);
    }
  }

  dismiss(id: number): void {
    this.set(this.list.filter((upload) => upload.id !== id));
  }

  private async sendOne(file: File, sensor: string, id: number): Promise<void> {
    const arrived = this.around.expect();
    try {
      const scene = await this.around.api.upload(file, sensor);
      this.dismiss(id);
      await arrived(scene);
    } catch (error) {
      this.refuse(id, this.around.sentence(error));
    }
  }

  private async refusalOf(file: File): Promise<string | null> {
    const most = this.around.maxBytes();
    if (file.size > most) return `The file has ${megabytes(file.size)}; at most ${megabytes(most)} are taken.`;
    if (!(await isReadable(file))) return "It cannot be read: a folder, or a file that is gone or locked.";
    return file.size === 0 ? "The file is empty." : null;
  }

  private refuse(id: number, refusal: string): void {
    this.set(this.list.map((upload) => (upload.id === id ? { ...upload, refusal } : upload)));
  }

  private set(list: readonly Upload[]): void {
    this.list = list;
    this.around.changed();
  }
}

/** A dropped folder looks like a file, and sending it looks like a server that is gone. */
export async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
