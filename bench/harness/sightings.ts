/**
 * What members of a group saw, key by key: who, which number, when.
 *
 * In: lines `key number ms`. Out: the longest gap, the keys that never moved, what is wrong. Never here: processes.
 */

interface Sighting {
  readonly by: string;
  readonly n: number;
  readonly atMs: number;
}

/** What came, by key; numbers of a key count from 0. */
export class Sightings {
  readonly #byKey = new Map<string, Sighting[]>();
  #waiting: { readonly sent: ReadonlyMap<string, number>; resolve(): void } | undefined;

  add(by: string, line: string): void {
    const [key = "", n, atMs] = line.split(" ");
    const seen = this.#byKey.get(key) ?? [];
    this.#byKey.set(key, seen);
    seen.push({ by, n: Number(n), atMs: Number(atMs) });
    if (this.#waiting && this.#hasAll(this.#waiting.sent)) this.#waiting.resolve();
  }

  /** Resolves once the last message of each key came, or after a while without. */
  async allOf(sent: ReadonlyMap<string, number>): Promise<void> {
    if (this.#hasAll(sent)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = { sent, resolve };
    await Promise.race([promise, Bun.sleep(LATE_MS)]); // what is lost never comes: a limit, no wait
  }

  /** Keys that one member alone has seen since then. */
  unmovedSince(fromMs: number): readonly string[] {
    const members = (seen: readonly Sighting[]) =>
      new Set(seen.filter(({ atMs }) => atMs >= fromMs).map(({ by }) => by));
    return [...this.#byKey].filter(([, seen]) => members(seen).size === 1).map(([key]) => key);
  }

  longestGapMs(keys: readonly string[], fromMs: number, forMs: number): number {
    const gaps = keys.map((key) => {
      const times = (this.#byKey.get(key) ?? []).map(({ atMs }) => atMs).toSorted((a, b) => a - b);
      const within = times.filter((atMs) => atMs >= fromMs && atMs <= fromMs + forMs);
      return Math.max(0, ...within.slice(1).map((atMs, at) => atMs - (within[at] ?? atMs)));
    });
    return Math.max(0, ...gaps);
  }

  /** Messages that never came, came again without a move, or came after a later one of their key for the first time. */
  faults(sent: ReadonlyMap<string, number>): number {
    let faults = 0;
    for (const [key, count] of sent) {
      const seen = this.#byKey.get(key) ?? [];
      const moved = seen.some(({ by }) => by !== seen[0]?.by);
      const known = new Set<number>();
      let highest = -1;
      for (const { n } of seen) {
        if (known.has(n)) faults += moved ? 0 : 1;
        else if (n < highest) faults++;
        known.add(n);
        highest = Math.max(highest, n);
      }
      faults += count - known.size;
    }
    return faults;
  }

  #hasAll(sent: ReadonlyMap<string, number>): boolean {
    return [...sent].every(([key, count]) => this.#byKey.get(key)?.some(({ n }) => n === count - 1));
  }
}

/** How long the last messages may take to come; what is not there then counts as lost. */
const LATE_MS = 15_000;
