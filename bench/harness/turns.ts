/**
 * Processes under test that are alive at once and run one at a time, so that what the machine gives changes for all alike: it changes by
 * a tenth from one whole run to the next.
 *
 * In: processes as they come and go. Out: which of them runs; the others are stopped (SIGSTOP). Never here: what they do.
 */

export interface Runner {
  pause(): void;
  resume(): void;
}

/** Short beside what a machine's speed needs to change, long beside a commit's interval and a turn's first cold moment. */
const TURN_MS = 1_000;

export class Turns {
  /** The first one runs. */
  #runners: Runner[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  /** It runs only in its turns from now on. @returns what to call when it has ended */
  enter(runner: Runner): () => void {
    this.#runners.push(runner);
    if (this.#runners.length > 1) runner.pause();
    this.#timer ??= setInterval(() => this.next(), TURN_MS);
    return () => this.#leave(runner);
  }

  /** The next one's turn begins. */
  next(): void {
    const [before, ...others] = this.#runners;
    if (before === undefined || others.length === 0) return;
    before.pause();
    this.#runners = [...others, before];
    this.#runners[0]?.resume();
  }

  #leave(runner: Runner): void {
    this.#runners = this.#runners.filter((each) => each !== runner);
    this.#runners[0]?.resume();
    if (this.#runners.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
