/**
 * Texts by key, within limits: entries, bytes, time to live. The longest unused goes first.
 *
 * In: keys, texts, lives in milliseconds. Out: texts that have not expired. Never here: commands, timers.
 */
import type { Clock } from "../ground/clock.ts";

interface Entry {
  readonly value: string;
  readonly bytes: number;
  /** On the monotonic clock: a jump of the wall clock expires nothing. Null: never. */
  readonly expiresAtMs: number | null;
}

export class BoundedEntries {
  /** In order of use, the longest unused first: a Map keeps the order in which keys were put in. */
  readonly #entries = new Map<string, Entry>();
  readonly #limits: { readonly entries: number; readonly bytes: number };
  readonly #clock: Clock;
  #bytes = 0;

  constructor(options: { readonly entries: number; readonly bytes: number; readonly clock: Clock }) {
    for (const name of ["entries", "bytes"] as const) {
      if (Number.isSafeInteger(options[name]) && options[name] > 0) continue;
      throw new RangeError(
        `the cache's limit of ${name} must be a positive whole number, not ${options[name]}`,
      );
    }
    this.#limits = options;
    this.#clock = options.clock;
  }

  /** The text, which counts as used now; null when there is none. */
  get(key: string): string | null {
    const entry = this.#find(key);
    if (entry === null) return null;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** @throws RangeError for an entry that is larger than the whole cache; an older one under this key is gone then. */
  set(key: string, value: string, lifeMs: number | null): void {
    this.delete(key);
    const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (bytes > this.#limits.bytes) {
      throw new RangeError(`an entry of ${bytes} bytes does not fit into a cache of ${this.#limits.bytes}`);
    }
    const expiresAtMs = lifeMs === null ? null : this.#clock.monotonicMs() + lifeMs;
    this.#entries.set(key, { value, bytes, expiresAtMs });
    this.#bytes += bytes;
    while (this.#entries.size > this.#limits.entries || this.#bytes > this.#limits.bytes) this.#dropOldest();
  }

  /** True when there was one that had not expired. */
  delete(key: string): boolean {
    const entry = this.#find(key);
    if (entry === null) return false;
    this.#drop(key, entry);
    return true;
  }

  /** Milliseconds that are left; null for ever, undefined when there is no such entry. */
  lifeLeftMs(key: string): number | null | undefined {
    const entry = this.#find(key);
    if (entry === null) return undefined;
    return entry.expiresAtMs === null ? null : entry.expiresAtMs - this.#clock.monotonicMs();
  }

  #find(key: string): Entry | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (entry.expiresAtMs === null || entry.expiresAtMs > this.#clock.monotonicMs()) return entry;
    this.#drop(key, entry);
    return null;
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  #dropOldest(): void {
    const [oldest] = this.#entries;
    if (oldest !== undefined) this.#drop(...oldest);
  }
}
