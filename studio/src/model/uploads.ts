/** Files on their way to the server, one after the other, and why some were refused. */

import type { Api } from "../http/api";
import type { Scene } from "../http/types";

export interface Upload {
  readonly id: number;
  readonly name: string;
  /** Why it was refused; null while it is on its way. */
  readonly refusal: string | null;
  /** Whether it waits for those before it. */
  readonly isWaiting: boolean;
  readonly stop: AbortController;
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
    const uploads = files.map(({ name }): Upload => ({ id: ++this.count, name, refusal: null, isWaiting: true, stop: new AbortController() }));
    this.set([...this.list, ...uploads]);
    for (const [place, file] of files.entries()) {
      const upload = uploads[place];
      if (upload === undefined || upload.stop.signal.aborted) continue;
      this.change(upload.id, { isWaiting: false });
      const refusal = await this.refusalOf(file);
      if (refusal === null) await this.sendOne(file, sensor, upload);
      else this.change(upload.id, { refusal });
    }
  }

  /** Takes one from the list; what is still on its way is stopped. */
  dismiss(id: number): void {
    this.list.find((upload) => upload.id === id)?.stop.abort();
    this.set(this.list.filter((upload) => upload.id !== id));
  }

  private async sendOne(file: File, sensor: string, { id, stop }: Upload): Promise<void> {
    const isStopped = (): boolean => stop.signal.aborted;
    if (isStopped()) return;
    const arrived = this.around.expect();
    try {
      const scene = await this.around.api.upload(file, sensor, stop.signal);
      this.set(this.list.filter((upload) => upload.id !== id));
      await arrived(scene);
    } catch (error) {
      if (!isStopped()) this.change(id, { refusal: this.around.sentence(error) });
    }
  }

  private async refusalOf(file: File): Promise<string | null> {
    const most = this.around.maxBytes();
    if (file.size > most) return `The file has ${megabytes(file.size)}; at most ${megabytes(most)} are taken.`;
    if (!(await isReadable(file))) return "It cannot be read: a folder, or a file that is gone or locked.";
    return file.size === 0 ? "The file is empty." : null;
  }

  private change(id: number, change: Partial<Upload>): void {
    this.set(this.list.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
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
