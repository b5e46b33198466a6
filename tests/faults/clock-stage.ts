/**
 * Schedulers as processes on one Postgres, and what they fired.
 *
 * In: an address, how to start each. Out: processes to do harm to, sightings, and what is wrong with them.
 * Never here: the harm.
 */
import { join } from "node:path";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { eventually } from "../system/stage.ts";
import { message } from "../store/messages.ts";
import type { ClockWork } from "./clock-worker.ts";

export interface Fired {
  readonly by: number;
  readonly id: string;
  readonly dueMs: number;
  /** By the database's clock, before it was published. */
  readonly nowMs: number;
}

interface Process {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly lines: string[];
}

export const TOPIC = "clock";
const WITHIN_MS = 30_000;

export class ClockStage {
  readonly app = `clock-${crypto.randomUUID().slice(0, 8)}`;
  readonly fired: Fired[] = [];
  readonly #url: string;
  readonly #store: PostgresStore;
  readonly #processes: Process[] = [];
  #scheduled = 0;

  static async with<Result>(url: string, work: (stage: ClockStage) => Promise<Result>): Promise<Result> {
    const stage = new ClockStage(url, await createPostgresStore({ url, app: "clock-sender" }));
    try {
      return await work(stage);
    } finally {
      await stage.#close();
    }
  }

  private constructor(url: string, store: PostgresStore) {
    this.#url = url;
    this.#store = store;
  }

  /** Starts one and resolves when it is ready; `env` is added to its environment. @returns its number. */
  async start(work: Partial<ClockWork> = {}, env: Readonly<Record<string, string>> = {}): Promise<number> {
    const by = this.#processes.length;
    const given: ClockWork = { url: this.#url, app: this.app, topic: TOPIC, ...work };
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "clock-worker.ts"), JSON.stringify(given)],
      {
        env: { ...process.env, ...env },
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const lines: string[] = [];
    this.#processes.push({ child, lines });
    void this.#read(by);
    await this.said(by, "ready");
    return by;
  }

  /** Resolves once process `by` has said `line`. */
  async said(by: number, line: string): Promise<void> {
    await eventually(`${line} of scheduler ${by}`, () => this.#processes[by]?.lines.includes(line) === true);
  }

  signal(by: number, signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.#processes[by]?.child.kill(signal);
  }

  alive(by: number): boolean {
    return this.#processes[by]?.child.exitCode === null;
  }

  /** Adds rows, the `n`-th due after `delayMs(n)`. */
  async schedule(count: number, delayMs: (n: number) => number): Promise<void> {
    const app = this.app;
    const from = this.#scheduled;
    this.#scheduled += count;
    const store = await createPostgresStore({ url: this.#url, app });
    const rows = Array.from({ length: count }, (_, n) =>
      message({ messageId: `m${from + n}`, topic: TOPIC, delayMs: delayMs(n) }),
    );
    for (let at = 0; at < count; at += ROWS_AT_ONCE) await store.schedule(rows.slice(at, at + ROWS_AT_ONCE));
    await store.close();
  }

  /** Resolves when every row has been fired and none is in the table. */
  async through(withinMs = WITHIN_MS): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (this.#seen().size < this.#scheduled) {
      if (performance.now() > endMs)
        throw new Error(`${this.#scheduled - this.#seen().size} rows were not fired`);
      await Bun.sleep(LOOK_MS);
    }
  }

  /** What is wrong: rows lost, early, or fired more often than `most`. */
  complaints({ most = 1 }: { readonly most?: number } = {}): string[] {
    const early = this.fired.filter(({ dueMs, nowMs }) => nowMs < dueMs);
    const often = [...this.#seen()].filter(([, times]) => times > most);
    return [
      this.#seen().size === this.#scheduled
        ? ""
        : `${this.#scheduled - this.#seen().size} rows were not fired`,
      early.length === 0 ? "" : `${early.length} rows fired early`,
      often.length === 0 ? "" : `${often.length} rows fired more than ${most} times`,
    ].filter((complaint) => complaint !== "");
  }

  /** How often the `n`-th row was fired. */
  times(n: number): number {
    return this.fired.filter(({ id }) => id === `m${n}`).length;
  }

  get repeats(): number {
    return this.fired.length - this.#seen().size;
  }

  #seen(): Map<string, number> {
    const seen = new Map<string, number>();
    for (const { id } of this.fired) seen.set(id, (seen.get(id) ?? 0) + 1);
    return seen;
  }

  async #read(by: number): Promise<void> {
    const process = this.#processes[by];
    if (process === undefined) return;
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of process.child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [what, id = "", dueMs, nowMs] = line.split(" ");
        if (what === "fired") this.fired.push({ by, id, dueMs: Number(dueMs), nowMs: Number(nowMs) });
        else process.lines.push(line);
      }
    }
  }

  async #close(): Promise<void> {
    for (const { child } of this.#processes) child.kill("SIGKILL");
    await Promise.all(this.#processes.map(({ child }) => child.exited));
    await this.#store.close();
  }
}

const ROWS_AT_ONCE = 1_000;
const LOOK_MS = 20;
