/** Who is told when something changed. */

export class Topics<Topic extends string> {
  private readonly listeners = new Map<Topic, (() => void)[]>();

  /** Calls the listener at every change of any of these topics, and once now. */
  on(topics: readonly Topic[], listener: () => void): void {
    for (const topic of topics) this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
    listener();
  }

  /** A listener of several of these topics is called once. */
  changed(...topics: readonly Topic[]): void {
    const called = new Set(topics.flatMap((topic) => this.listeners.get(topic) ?? []));
    for (const listener of called) listener();
  }
}
