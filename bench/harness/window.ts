/**
 * What a process under test measures of itself, and how it is told what to do.
 *
 * In: the work as JSON in its first argument. Out: one line of JSON with the CPU (all threads) and wall time after the
 * first `warm` messages. Runs on Node too. Never here: Kafka.
 */

/** One hop: everything of `from` goes to `to`. */
export interface HopWork {
  readonly brokers: string;
  readonly library: string;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly messages: number;
  /** Messages before the window opens: compilers warm up, queues fill. */
  readonly warm: number;
  /** What this kind of hop wants to know beside. */
  readonly variant: string;
  readonly commitEveryMs: number;
}

export function readWork(): HopWork {
  // Whoever started us holds the other end: however it ended, so do we.
  process.stdin.on("end", () => process.exit(1)).resume();
  return JSON.parse(process.argv[2] ?? "") as HopWork;
}

export class MeasuredWindow {
  #seen = 0;
  #cpu = process.cpuUsage();
  #startMs = performance.now();
  readonly #work: Pick<HopWork, "messages" | "warm">;

  constructor(work: Pick<HopWork, "messages" | "warm">) {
    this.#work = work;
  }

  get seen(): number {
    return this.#seen;
  }

  /** Messages came. @returns true once all have. */
  saw(messages: number): boolean {
    const before = this.#seen;
    this.#seen += messages;
    if (before < this.#work.warm && this.#seen >= this.#work.warm) {
      this.#cpu = process.cpuUsage();
      this.#startMs = performance.now();
    }
    return this.#seen >= this.#work.messages;
  }

  /** The line to print when everything is acknowledged, committed and closed. */
  line(): string {
    const { user, system } = process.cpuUsage(this.#cpu);
    const wallMs = performance.now() - this.#startMs;
    return JSON.stringify({ messages: this.#work.messages - this.#work.warm, cpuUs: user + system, wallMs });
  }
}
