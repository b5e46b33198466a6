/**
 * The newcomer's minute: ten questions through the whole pipeline on the embedded defaults.
 *
 * In: a running project's door and its steps. Out: each way as it happens, the rows in Postgres, the number of
 * questions that did not arrive. Never here: starting or stopping anything (command.ts).
 */
import { sql } from "drizzle-orm";
import { pause, systemClock } from "cauce";
import type { QuestionStep } from "../storage/steps.ts";
import type { Queries } from "../storage/database.ts";
import { ask } from "../loadgen/door.ts";
import { questionId } from "../questions/identity.ts";
import { QUESTIONS } from "./questions.ts";
import { labelOf, openScreen, type Screen } from "./screen.ts";
import { ARROW, inOrder, wordsOf } from "./way.ts";

export interface DemoOptions {
  /** The door's address. */
  readonly url: string;
  /** Hands every step of every question to the listener, from now on. */
  readonly watch: (listener: (steps: readonly QuestionStep[]) => void) => void;
  readonly query: <T>(what: string, queries: (db: Queries) => Promise<T>) => Promise<T>;
  readonly terminal: boolean;
  readonly columns: number;
  readonly write: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Between two questions, in ms: slow enough to read along. */
const EVERY_MS = 250;
/** The slowest way takes about 6 s. */
const DEADLINE_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 50;

/** @returns how many questions did not get an answer and a hit: 0 when all is well. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { write, signal } = options;
  await untilReady(options);
  const startMs = systemClock.monotonicMs();
  const screen = openScreen({
    ...options,
    titles: QUESTIONS.map(({ title }) => title),
    elapsedMs: () => systemClock.monotonicMs() - startMs,
  });
  const ids = QUESTIONS.map((question) => questionId(question));
  const travellers = ids.map((_, index) => traveller(index, screen));
  options.watch((steps) => {
    for (const step of steps) travellers[ids.indexOf(step.id)]?.saw(step);
  });
  const asked = QUESTIONS.map(async (_, index) => {
    await pause(systemClock, index * EVERY_MS, signal);
    await travel(index, travellers[index], options);
  });
  const done = new AbortController();
  const late = pause(systemClock, DEADLINE_MS, AbortSignal.any([signal, done.signal]));
  await Promise.race([Promise.all(asked), late]);
  done.abort();
  screen.end();

  if (!options.terminal) {
    write("\nEach one's way:\n");
    for (const [index, { title }] of QUESTIONS.entries())
      write(`${labelOf(index, title)}  ${screen.way(index).join(ARROW)}\n`);
  }
  await showRows(options);
  const arrived = QUESTIONS.filter((_, index) => screen.way(index).at(-1) === "hit").length;
  write(`\n${arrived} of ${QUESTIONS.length} questions answered, stored and found again\n`);
  return QUESTIONS.length - arrived;
}

/** Up means assigned and connected: a door that is asked earlier says "later". */
async function untilReady({ url, signal }: DemoOptions): Promise<void> {
  const giveUpMs = systemClock.monotonicMs() + DEADLINE_MS;
  while (!signal.aborted && systemClock.monotonicMs() < giveUpMs) {
    const { ok } = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    if (ok) return;
    await pause(systemClock, LOOK_EVERY_MS, signal);
  }
}

interface Traveller {
  /** The door has acknowledged it: what was seen before that is told now. */
  queued(): void;
  hit(): void;
  saw(step: QuestionStep): void;
  readonly ended: Promise<void>;
}

/** The pipeline may be quicker than the door's reply: steps wait until "queued" is said. */
function traveller(index: number, screen: Screen): Traveller {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let early: QuestionStep[] | null = [];
  const tell = (step: QuestionStep) => {
    const words = wordsOf(step);
    if (words !== null) screen.add(index, words);
    if (step.step === "stored" || step.step === "failed" || step.step === "dead") resolve();
  };
  const saw = inOrder(tell);
  return {
    ended,
    saw: (step) => (early === null ? saw(step) : void early.push(step)),
    queued() {
      screen.add(index, "queued");
      const seen = early ?? [];
      early = null;
      for (const step of seen) saw(step);
    },
    hit: () => screen.add(index, "hit"),
  };
}

async function travel(index: number, way: Traveller | undefined, options: DemoOptions): Promise<void> {
  const question = QUESTIONS[index];
  if (question === undefined || way === undefined) return;
  const { title, content, best_answer } = question;
  const door = { baseUrl: options.url, fetch, timeoutMs: CALL_TIMEOUT_MS };
  const untilTaken = async () => {
    while (!options.signal.aborted) {
      const asked = await ask(door, { title, content, best_answer });
      if (asked.kind !== "again") return asked;
      await pause(systemClock, asked.afterMs, options.signal);
    }
    return null;
  };
  const first = await untilTaken();
  if (first?.kind !== "queued") return;
  way.queued();
  await way.ended;
  // The same question once more: nothing is generated, the door answers by itself.
  if ((await untilTaken())?.kind === "hit") way.hit();
}

interface Row extends Record<string, unknown> {
  readonly title: string;
  readonly answer: string;
  readonly score: number;
  readonly attempts: number;
  readonly deferrals: number;
}

async function showRows({ query, write }: DemoOptions): Promise<void> {
  const rows = await query("reading the results", (db) =>
    db.execute<Row>(
      sql`select title, answer, score, attempts, deferrals from response_event order by created_at, id`,
    ),
  );
  write("\nWhat is in Postgres now (response_event):\n");
  write(`  ${"question".padEnd(36)}${"answer".padEnd(48)}score  attempts  rate limits\n`);
  for (const { title, answer, score, attempts, deferrals } of rows) {
    const numbers = `${score.toFixed(1).padStart(5)}  ${String(attempts).padStart(8)}  ${String(deferrals).padStart(11)}`;
    write(`  ${cell(title, 36)}${cell(answer, 48)}${numbers}\n`);
  }
}

function cell(text: string, width: number): string {
  const line = text.replaceAll(/\s+/g, " ");
  return (line.length > width - 2 ? `${line.slice(0, width - 3)}…` : line).padEnd(width);
}
