/**
 * The workload of the fault runs: numbered messages that go through two hops, some of them by way of the schedule.
 *
 * In: a prefix for all names, who runs it. Out: topics, handlers and an application. Never here: faults.
 */
import * as v from "valibot";
import { pause, systemClock, GiveUp, handler, topic, type Handler } from "cauce";
import { application, type Application } from "../../runtime/application/application.ts";
import { deriveId } from "../../runtime/engine/envelope.ts";

export const Numbered = v.looseObject({
  /** The id with which it was sent. */
  id: v.string(),
  key: v.string(),
  seq: v.number(),
  /** `plain` goes straight through; the others need rows or end on the first hop. */
  kind: v.picklist(["plain", "retried", "delayed", "dead"]),
  /** Who ran it, hop by hop. */
  way: v.array(v.string()),
  /** At which attempt it got through, hop by hop. */
  attempts: v.array(v.number()),
});
export type Numbered = v.InferOutput<typeof Numbered>;

export const PARTITIONS = 6;
/** Rows of the workload wait this long. */
export const ROW_DELAY_MS = 100;
/** Handlers take up to this long, by chance, so that messages finish out of order. */
const LONGEST_WORK_MS = 6;

export interface Pipeline {
  readonly topics: ReturnType<typeof topicsOf>;
  readonly handlers: readonly Handler[];
  readonly application: Application;
}

/**
 * With `hold`, every fifth message of each key fails once on the first hop, and none of its key may pass it. With `once`, outputs
 * and offsets of both hops go in transactions.
 */
export function pipeline({
  prefix,
  worker = "",
  hold = false,
  once = false,
}: {
  prefix: string;
  worker?: string;
  hold?: boolean;
  once?: boolean;
}): Pipeline {
  const topics = topicsOf(prefix);
  const common = {
    order: { by: "key", whileRetrying: hold ? "hold" : "skip" },
    concurrency: 32,
    guarantee: once ? "exactly-once" : "at-least-once",
    retry: [[Error, { attempts: 10, delay: "constant", base: `${ROW_DELAY_MS}ms`, jitter: 0 }]],
  } as const;
  const first = handler({
    ...common,
    name: "first",
    on: topics.input,
    out: { mid: topics.mid },
    async handle({ value, attempt, delivery }, { out }) {
      await pause(systemClock, Math.random() * LONGEST_WORK_MS);
      if (value.kind === "dead") throw new GiveUp("this one is to die");
      if (value.kind === "retried" && delivery === 0) throw new Error("this one comes again");
      if (hold && (value.seq + Number(value.key.slice(1))) % 5 === 0 && attempt === 1)
        throw new Error("this one holds its key");
      const next = passed(value, worker, attempt);
      return value.kind === "delayed" ? out.mid(next, { after: `${ROW_DELAY_MS}ms` }) : out.mid(next);
    },
  });
  const second = handler({
    ...common,
    name: "second",
    on: topics.mid,
    out: { output: topics.output },
    async handle({ value, attempt }, { out }) {
      await pause(systemClock, Math.random() * LONGEST_WORK_MS);
      return out.output(passed(value, worker, attempt));
    },
  });
  return {
    topics,
    handlers: [first, second],
    application: application({
      name: prefix,
      settings: {},
      start: () => Promise.resolve({ deps: {}, close: () => Promise.resolve() }),
    }),
  };
}

function passed(value: Numbered, worker: string, attempt: number): Numbered {
  return { ...value, way: [...value.way, worker], attempts: [...value.attempts, attempt] };
}

/** Messages fail by themselves once at most, on the first hop; a higher attempt was spent on somebody else's failure. */
export function spentTooMany({ kind, attempts: [first = 1, ...later] }: Numbered, hold: boolean): boolean {
  return first > (kind === "retried" || hold ? 2 : 1) || later.some((attempt) => attempt > 1);
}

function topicsOf(prefix: string) {
  const options = { schema: Numbered, key: (value: Numbered) => value.key, partitions: PARTITIONS };
  return {
    input: topic(`${prefix}.in`, options),
    mid: topic(`${prefix}.mid`, options),
    output: topic(`${prefix}.out`, options),
  };
}

/** The ids under which a message must be seen behind the first and the second hop. */
export function idsOf(id: string): { readonly mid: string; readonly output: string } {
  const mid = deriveId(id, "mid", 0);
  return { mid, output: deriveId(mid, "output", 0) };
}

const KEYS = 40;

/** The `n`-th message. Its kind follows from its key: keys that keep order are all plain. */
export function numbered(n: number): Numbered {
  const key = n % KEYS;
  const kind = key === 3 ? "retried" : key === 5 ? "delayed" : key === 7 ? "dead" : "plain";
  return { id: `m-${n}`, key: `k${key}`, seq: Math.floor(n / KEYS), kind, way: [], attempts: [] };
}
