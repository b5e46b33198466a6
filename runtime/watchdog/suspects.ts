/**
 * Records on which a process died, and how often.
 *
 * In: deaths and acquittals, from any process of the state folder. Out: a count for each record that is suspected.
 * One file of JSON lines that is only ever appended to: lines of several processes do not mix, and a crash costs at most its
 * own line. Never here: the decision that a record must not run again.
 */
import { appendFileSync, readFileSync, renameSync, statSync } from "node:fs";
import type { Clock } from "../ground/clock.ts";
import type { Blamed } from "./journal.ts";
import type { Coordinates } from "./watch.ts";

export interface Suspicion {
  readonly deaths: number;
  /** How the process died the last time, in words. */
  readonly how: string;
}

/** A file that has grown past this is put aside: suspicions are hints, the records themselves are on their topics. */
const LIMIT_BYTES = 4 * 1024 * 1024;
/** A record that another machine has finished is never acquitted here; its suspicion ends by itself. */
const REMEMBERED_MS = 24 * 3_600_000;

export class Suspects {
  readonly #path: string;
  readonly #clock: Clock;
  #known: Map<string, Suspicion>;
  #readAt = "";

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#known = new Map();
    this.refresh();
  }

  get none(): boolean {
    return this.#known.size === 0;
  }

  find(handler: string, at: Coordinates): Suspicion | undefined {
    return this.#known.get(identityOf(handler, at));
  }

  /** A process died while these ran. */
  accuse(blamed: readonly Blamed[], how: string): void {
    if (blamed.length === 0) return;
    const atMs = this.#clock.nowMs();
    this.#append(blamed.map((one) => ({ record: identityOf(one.handler, one), how, atMs })));
  }

  acquit(handler: string, at: Coordinates): void {
    this.#append([{ record: identityOf(handler, at), acquitted: true }]);
  }

  /** Reads what other processes have written since. Costs one look at the file's size when there is nothing. */
  refresh(): void {
    try {
      const { size, mtimeMs } = statSync(this.#path);
      const stamp = `${size} ${mtimeMs}`;
      if (stamp === this.#readAt) return;
      this.#known = readSuspicions(readFileSync(this.#path, "utf8"), this.#clock.nowMs() - REMEMBERED_MS);
      this.#readAt = stamp;
    } catch {
      // There is no file: nobody was ever suspected.
      this.#known = new Map();
    }
  }

  #append(lines: readonly object[]): void {
    try {
      if (statSync(this.#path).size > LIMIT_BYTES) renameSync(this.#path, `${this.#path}.1`);
    } catch {
      // The first line makes the file.
    }
    appendFileSync(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""), { mode: 0o600 });
    this.refresh();
  }
}

function identityOf(handler: string, { topic, partition, offset, timestampMs }: Coordinates): string {
  return `${handler} ${topic}/${partition}/${offset}@${timestampMs}`;
}

function readSuspicions(text: string, sinceMs: number): Map<string, Suspicion> {
  const known = new Map<string, Suspicion>();
  for (const line of text.split("\n")) {
    const { record, how, atMs, acquitted } = parse(line);
    if (typeof record !== "string") continue;
    if (acquitted === true) known.delete(record);
    else if (typeof atMs === "number" && atMs >= sinceMs)
      known.set(record, { deaths: (known.get(record)?.deaths ?? 0) + 1, how: String(how) });
  }
  return known;
}

/** A line that a crash cut short says nothing. */
function parse(line: string): {
  readonly record?: unknown;
  readonly how?: unknown;
  readonly atMs?: unknown;
  readonly acquitted?: unknown;
} {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
