/**
 * Workers of one run as child processes, and what was committed when one of them died.
 *
 * In: where Kafka and Postgres are, a prefix. Out: workers to stop, pause and kill; a record of each death.
 * Never here: what a death may repeat (`run.ts`).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Failpoint } from "cauce/testing";
import { type CommittedState, readCommitted } from "./committed.ts";
import type { Admin } from "../../runtime/kafka/index.ts";

export interface FleetOptions {
  readonly prefix: string;
  readonly brokers: string;
  readonly databaseUrl: string;
  readonly admin: Admin;
  /** Do keys wait while one of their messages does? */
  readonly hold?: boolean;
  /** Do outputs and offsets go in transactions? */
  readonly once?: boolean;
  /** Further librdkafka properties of the workers. */
  readonly kafka?: Readonly<Record<string, string>>;
}

export interface Worker {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  output(): string;
  /** Resolves once it has all that it needs. Rejects when it ends before. */
  ready(): Promise<void>;
  /** `kill -9`; resolves when it is gone and what was committed is known. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number>;
  /** SIGSTOP: from now on it may be taken for dead. */
  freeze(): Promise<void>;
  thaw(): void;
}

/** Killed members are noticed after this: the broker must allow it (tests/services/kafka-settings.ts). */
const QUICK_GROUPS = {
  "group.protocol": "classic",
  "session.timeout.ms": "3000",
  "heartbeat.interval.ms": "300",
};

export class Fleet {
  readonly #options: FleetOptions;
  readonly #folder: string;
  readonly #living = new Set<Worker>();
  readonly #all: Worker[] = [];
  /** By worker: what was committed when it died, or was frozen. Nothing below may be repeated. */
  readonly deaths = new Map<string, CommittedState>();
  #started = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), "cauce-faults-"));
    const properties = Object.entries({ ...QUICK_GROUPS, ...options.kafka });
    writeFileSync(
      join(this.#folder, "kafka.properties"),
      properties.map(([name, value]) => `${name}=${value}\n`).join(""),
    );
  }

  get living(): readonly Worker[] {
    return [...this.#living];
  }

  start({ dieAt }: { dieAt?: { point: Failpoint; visit: number } } = {}): Worker {
    const { prefix, brokers, databaseUrl, hold = false, once = false } = this.#options;
    const name = `w${++this.#started}`;
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "worker.ts")], {
      env: {
        ...process.env,
        PREFIX: prefix,
        WORKER: name,
        RUN: "first,second,scheduler",
        KAFKA_BROKERS: brokers,
        KAFKA_CONFIG: join(this.#folder, "kafka.properties"),
        DATABASE_URL: databaseUrl,
        DATABASE_POOL_SIZE: "2",
        LOG_LEVEL: "warn",
        ...(hold && { HOLD: "yes" }),
        ...(once && { ONCE: "yes" }),
        ...(dieAt && { DIE_AT: `${dieAt.point}:${dieAt.visit}` }),
      },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const worker = this.#watch(name, child);
    this.#living.add(worker);
    this.#all.push(worker);
    return worker;
  }

  /** What the workers have said last, those that are gone too, for people who look for the reason of a failure. */
  lastWords(): string {
    return this.#all
      .map((worker) => `${worker.name}: ${wordsOf(worker.output())}`)
      .filter((words) => !/: (ready)?$/.test(words))
      .join("; ");
  }

  /** Ends all and removes what the workers were given. */
  async close(): Promise<void> {
    await Promise.all(this.living.map((worker) => worker.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #watch(name: string, child: Bun.Subprocess<"pipe", "pipe", "pipe">): Worker {
    let text = "";
    const ready = Promise.withResolvers<void>();
    // Nobody may be waiting for it.
    ready.promise.catch(() => undefined);
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        text += decoder.decode(chunk, { stream: true });
        if (/^ready$/m.test(text)) ready.resolve();
      }
    };
    const gone = Promise.all([child.exited, read(child.stdout), read(child.stderr)]);
    const exited = gone.then(async ([code]) => {
      this.#living.delete(worker);
      if (child.signalCode === "SIGKILL" && !this.deaths.has(name)) await this.#died(name);
      ready.reject(new Error(`${name} ended before it was ready:\n${text}`));
      return code;
    });
    const worker: Worker = {
      name,
      pid: child.pid,
      exited,
      output: () => text,
      ready: () => ready.promise,
      async kill() {
        child.kill("SIGKILL");
        await exited;
      },
      async stop() {
        child.kill("SIGTERM");
        return await exited;
      },
      freeze: async () => {
        child.kill("SIGSTOP");
        await this.#died(name);
      },
      thaw: () => child.kill("SIGCONT"),
    };
    return worker;
  }

  async #died(name: string): Promise<void> {
    const { once = false } = this.#options;
    // A broker tells no offset on which a transaction is open; nobody asks either: nothing of it may be repeated.
    this.deaths.set(name, once ? { covers: () => true } : await readCommitted(this.#options));
  }
}

function wordsOf(output: string): string {
  const lines = output.split("\n").filter((line) => line !== "" && !line.includes("CONFWARN"));
  return lines.slice(-3).join(" ").slice(-LONGEST_WORDS);
}

const LONGEST_WORDS = 600;
