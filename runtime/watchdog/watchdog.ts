/**
 * The watchdog of one process: writes down what runs, has an eye on the event loop, and keeps what killed the process before
 * from killing it for ever.
 *
 * In: a folder, limits. Out: a `Watch` for the engine. Never here: restarting the process (bin/supervise.ts); a crash that
 * comes after a handler has returned (a timer that it left behind) is not traced back to it.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { abandonedJournals, describeDeaths, describeSuspects, holdInquest, journalName } from "./inquest.ts";
import { Journal } from "./journal.ts";
import type { LookoutOptions } from "./lookout.ts";
import { Suspects } from "./suspects.ts";
import type { Coordinates, Watch, Watched } from "./watch.ts";

export interface WatchdogOptions {
  /** Where journals and the list of suspects are; see `watchFolder`. */
  readonly folder: string;
  /** The event loop may stand still for so long, in ms; 0 switches the lookout off. */
  readonly stallMs: number;
  /** A record on which a process died so often is not run again. */
  readonly deaths: number;
  /** How many records may run at once. */
  readonly slots: number;
  /** Does another process see how this one ends? */
  readonly supervised: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Watchdog extends Watch {
  /** Path of the journal. */
  readonly journal: string;
  /** An orderly end: what runs now is nobody's fault. */
  close(): void;
}

const LONGEST_LOOK_MS = 500;

/** The watchdog's folder inside a state folder. */
export function watchFolder(stateDir: string): string {
  return join(stateDir, "watchdog");
}

/** The list of suspects inside the watchdog's folder. */
export function suspectsIn(folder: string, clock: Clock): Suspects {
  return new Suspects(join(folder, "suspects"), clock);
}

/** Null, with a line in the log, where the folder cannot be written: handlers run all the same. */
export function openWatchdog(options: WatchdogOptions): Watchdog | null {
  const { folder, log } = options;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, journalName(process.pid));
    // A process with this very number and start can only be this one, started anew on another broker.
    rmSync(path, { force: true });
    const suspects = suspectsIn(folder, options.clock);
    for (const journal of abandonedJournals(folder)) {
      const finding = holdInquest(journal, { kind: "unseen" }, suspects);
      if (finding !== null && finding.suspects.length > 0) {
        log.warn("a process died here before", {
          how: finding.how,
          running: describeSuspects(finding.suspects),
        });
      }
    }
    const journal = new Journal({ path, slots: options.slots, supervised: options.supervised });
    return watchWith(options, path, journal, suspects);
  } catch (error) {
    log.warn("no watchdog: its folder cannot be used", { folder, error: messageOf(error) });
    return null;
  }
}

function watchWith(options: WatchdogOptions, path: string, journal: Journal, suspects: Suspects): Watchdog {
  const stopLooking = options.stallMs > 0 ? startLookout(options, path, journal) : () => {};
  const runs = new Runs(journal, suspects, options);
  return {
    journal: path,
    run: (watched, subject) => runs.run(watched, subject),
    settled(handler, at) {
      if (!suspects.none && suspects.find(handler, at) !== undefined) suspects.acquit(handler, at);
    },
    assigned: () => suspects.refresh(),
    close() {
      stopLooking();
      rmSync(path, { force: true });
    },
  };
}

function startLookout({ stallMs }: WatchdogOptions, path: string, journal: Journal): () => void {
  const lookEveryMs = Math.max(1, Math.min(LONGEST_LOOK_MS, Math.floor(stallMs / 5)));
  const beat = setInterval(() => journal.beat(), lookEveryMs);
  beat.unref();
  const workerData: LookoutOptions = { path, stallMs, lookEveryMs };
  const lookout = new Worker(new URL("lookout.ts", import.meta.url), { workerData });
  lookout.unref();
  return () => {
    clearInterval(beat);
    void lookout.terminate();
  };
}

/** Runs beside each other; a suspect runs alone. */
class Runs {
  readonly #journal: Journal;
  readonly #suspects: Suspects;
  readonly #options: WatchdogOptions;
  #running = 0;
  /** Resolves when the suspects that run or wait to run alone are through; null when there are none. */
  #alone: Promise<void> | null = null;
  #idle: (() => void) | null = null;

  constructor(journal: Journal, suspects: Suspects, options: WatchdogOptions) {
    this.#journal = journal;
    this.#suspects = suspects;
    this.#options = options;
  }

  run<Subject, Result>(watched: Watched<Subject, Result>, subject: Subject): Result | Promise<Result> {
    const careful = !this.#suspects.none || this.#alone !== null;
    return careful ? this.#careful(watched, subject) : this.#noted(watched, subject);
  }

  /** The healthy way: nothing is awaited before `work` is called, and nothing after it where it answers at once. */
  #noted<Subject, Result>(watched: Watched<Subject, Result>, subject: Subject): Result | Promise<Result> {
    this.#running++;
    const slot = this.#journal.begin(watched.handler, watched.at(subject));
    let result: Result | Promise<Result>;
    try {
      result = watched.work(subject);
    } catch (error) {
      this.#ended(slot);
      throw error;
    }
    this.#journal.waits();
    if (result instanceof Promise) return result.finally(() => this.#ended(slot));
    this.#ended(slot);
    return result;
  }

  #ended(slot: number): void {
    this.#journal.end(slot);
    if (--this.#running === 0) this.#idle?.();
  }

  async #careful<Subject, Result>(watched: Watched<Subject, Result>, subject: Subject): Promise<Result> {
    const { handler } = watched;
    const at = watched.at(subject);
    const suspicion = this.#suspects.find(handler, at);
    if (suspicion === undefined) {
      while (this.#alone !== null) await this.#alone;
      return await this.#noted(watched, subject);
    }
    if (suspicion.deaths >= this.#options.deaths) {
      this.#options.log.error(
        "a message is not run: the process died on it too often",
        about({ handler, at }, suspicion),
      );
      return watched.condemned(subject, describeDeaths(suspicion.deaths, suspicion.how));
    }
    this.#options.log.warn(
      "a message on which the process may have died runs alone",
      about({ handler, at }, suspicion),
    );
    return await this.#runAlone(watched, subject);
  }

  async #runAlone<Subject, Result>(watched: Watched<Subject, Result>, subject: Subject): Promise<Result> {
    const before = this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      await before;
      if (this.#running > 0) await new Promise<void>((idle) => (this.#idle = idle));
      this.#idle = null;
      return await this.#noted(watched, subject);
    } finally {
      if (this.#alone === promise) this.#alone = null;
      resolve();
    }
  }
}

function about(
  { handler, at }: { readonly handler: string; readonly at: Coordinates },
  { deaths, how }: { deaths: number; how: string },
) {
  return { handler, record: `${at.topic}/${at.partition}/${at.offset}`, deaths, how };
}
