/**
 * An open-loop load generator: questions are asked at their intended times whatever the answers do.
 *
 * In: questions, a rate, a door. Out: a report in which every ask is accounted for, or named. Never here: printing (see
 * table.ts), arguments (see command.ts), waiting for an answer before the next question is asked.
 */
import { pause, systemClock, type Clock } from "cauce";
import type { DatasetQuestion } from "../questions/dataset.ts";
import type { Arrivals } from "./arrivals.ts";
import { ask, type Fetch } from "./door.ts";
import { follow } from "./follow.ts";
import { Ledger, type LoadReport } from "./ledger.ts";
import { planAsks, type PlannedAsk } from "./plan.ts";
import type { Popularity } from "./popularity.ts";
import { watch } from "./progress.ts";
import type { Run } from "./run.ts";

export interface LoadOptions {
  readonly questions: readonly DatasetQuestion[];
  /** Such as "http://127.0.0.1:8000". */
  readonly baseUrl: string;
  readonly arrivals: Arrivals;
  /** Default no repeats until the questions run out. */
  readonly popularity?: Popularity;
  /** How many asks, at most what a ramp has room for. Default one for each question. */
  readonly count?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Gives up when this long nothing was acknowledged and nothing ended. Default 300,000. */
  readonly stallMs?: number;
  /** Deadline of one call. Default 30,000. */
  readonly callTimeoutMs?: number;
  /** Called about every `progressEveryMs` (default 1,000) with one line. */
  readonly onProgress?: (line: string) => void;
  readonly progressEveryMs?: number;
  /** Asks the door's metrics with each sample. Default false. */
  readonly depths?: boolean;
  readonly clock?: Clock;
  readonly fetch?: Fetch;
  /** Stops asking and following; what is open is then unaccounted for. */
  readonly signal?: AbortSignal;
}

/** Sends in flight at once. More wait for their turn; their latency still counts from the intended time. */
const MOST_SENDS_IN_FLIGHT = 1_000;

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { questions, clock = systemClock, stallMs = 300_000 } = options;
  const { arrivals, popularity = NO_REPEATS, seed = 1, count = questions.length } = options;
  const asks = planAsks({ questions: questions.length, count, arrivals, popularity, seed });
  const door = {
    baseUrl: options.baseUrl.replace(/\/+$/, ""),
    fetch: options.fetch ?? fetch,
    timeoutMs: options.callTimeoutMs ?? 30_000,
  };
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const startMs = clock.nowMs();
  const run: Run = {
    ledger: new Ledger(startMs),
    clock,
    door,
    signal,
    stallMs,
    startMs,
    sending: new Set(),
    startTick: clock.monotonicMs(),
    movedTick: clock.monotonicMs(),
  };
  const watching = watch(run, {
    count: asks.length,
    everyMs: options.progressEveryMs ?? 1_000,
    show: options.onProgress,
    depths: options.depths ?? false,
  });
  const sending = send(run, asks, questions);
  const following = follow(run, sending);
  try {
    await Promise.all([sending, following]);
  } finally {
    stop.abort();
  }
  return run.ledger.report({
    asks,
    samples: await watching,
    tookMs: Math.round(clock.monotonicMs() - run.startTick),
    ...(arrivals.kind === "ramp" ? { steps: arrivals.steps } : {}),
  });
}

const NO_REPEATS: Popularity = { kind: "repeats", share: 0 };

async function send(
  run: Run,
  asks: readonly PlannedAsk[],
  questions: readonly DatasetQuestion[],
): Promise<void> {
  const { sending: inFlight } = run;
  for (const planned of asks) {
    const question = questions[planned.question];
    if (question === undefined) continue;
    const earlyMs = run.startTick + planned.intendedMs - run.clock.monotonicMs();
    if (earlyMs > 0) await pause(run.clock, earlyMs, run.signal);
    if (inFlight.size >= MOST_SENDS_IN_FLIGHT) await Promise.race(inFlight);
    run.ledger.asked++;
    const sent: Promise<void> = sendOne(run, question, run.startMs + planned.intendedMs).finally(() =>
      inFlight.delete(sent),
    );
    inFlight.add(sent);
  }
  await Promise.all(inFlight);
}

async function sendOne(run: Run, question: DatasetQuestion, intendedMs: number): Promise<void> {
  const { ledger, clock, door } = run;
  let why = "stopped";
  const untilTick = clock.monotonicMs() + run.stallMs;
  while (!run.signal.aborted) {
    const asked = await ask(door, question);
    if (asked.kind !== "again") run.movedTick = clock.monotonicMs();
    if (asked.kind === "queued") return ledger.noteQueued(asked.id, intendedMs);
    if (asked.kind === "hit") return ledger.noteHit(asked.id, intendedMs, clock.nowMs());
    if (asked.kind === "refused") return ledger.noteRefused(asked.why);
    why = asked.why;
    if (clock.monotonicMs() + asked.afterMs > untilTick) break;
    ledger.resent++;
    await pause(clock, asked.afterMs, run.signal);
  }
  ledger.noteLost(question.title, why);
}
