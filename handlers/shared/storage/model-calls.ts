/**
 * Calls of a model in Postgres: who asks now, and what came of it, one row for each question, round, attempt and purpose.
 *
 * In: calls as they begin and end. Out: the row's word, whoever wrote it first. Two statements a call; prices by the tokens.
 * Never here: asking.
 */
import { and, eq, isNull, sql } from "drizzle-orm";
import { modelCall } from "../../../schema/tables.ts";
import type { Usage } from "../model/model.ts";
import type { Begun, Call, Calls, Finished } from "../model/pay-once.ts";
import type { Database } from "./database.ts";
import { storableJson, storableText } from "./storable.ts";

/** What a million tokens cost, in any currency; undefined where nobody said. */
export interface Prices {
  readonly promptPerMillion: number | undefined;
  readonly completionPerMillion: number | undefined;
}

export interface ModelCallsOptions {
  /** For so long a call belongs to the process that began it, in ms: longer than any call may take. */
  readonly leaseMs: number;
  readonly prices: Prices;
}

export function createModelCalls(database: Database, { leaseMs, prices }: ModelCallsOptions): Calls {
  return {
    begin: (call) => begin(database, call, leaseMs),
    finish: (call, token, finished) => finish(database, { call, token, finished, prices }),
    giveBack: (call, token, spent) =>
      database.run("giving a model call back", async (db) => {
        await db
          .update(modelCall)
          .set({
            calling_until: sql`'-infinity'`,
            ...(spent === "unasked"
              ? { calls: sql`${modelCall.calls} - 1` }
              : withUsage(spent.usage ?? NOTHING_USED, prices)),
          })
          .where(and(unfinished(call), eq(modelCall.token, token)));
      }),
  };
}

/** On top of what tries that brought nothing have used before. */
function withUsage(usage: Usage, prices: Prices) {
  const price = priceOf(usage, prices);
  return {
    prompt_tokens: sql`${modelCall.prompt_tokens} + ${usage.prompt_tokens}`,
    completion_tokens: sql`${modelCall.completion_tokens} + ${usage.completion_tokens}`,
    price: price === null ? modelCall.price : sql`coalesce(${modelCall.price}, 0) + ${price}`,
  };
}

/** What so many tokens cost; null where a price is missing. */
export function priceOf(usage: Usage, { promptPerMillion, completionPerMillion }: Prices): number | null {
  if (promptPerMillion === undefined || completionPerMillion === undefined) return null;
  return (
    (usage.prompt_tokens * promptPerMillion + usage.completion_tokens * completionPerMillion) / 1_000_000
  );
}

/** By Postgres's clock alone: whose time is over has died, or has been cut off. */
function begin(database: Database, call: Call, leaseMs: number): Promise<Begun> {
  return database.run("beginning a model call", async (db) => {
    const token = crypto.randomUUID();
    const until = sql`now() + make_interval(secs => ${leaseMs / 1_000})`;
    const { model, prompt_version } = call;
    const about = { model, prompt_version, token, calling_until: until, started_at: sql`now()` };
    const taken = await db
      .insert(modelCall)
      .values({
        question_hash: call.id,
        round: call.round,
        attempt: call.attempt,
        purpose: call.purpose,
        calls: 1,
        ...about,
      })
      .onConflictDoUpdate({
        target: [modelCall.question_hash, modelCall.round, modelCall.attempt, modelCall.purpose],
        set: { ...about, calls: sql`${modelCall.calls} + 1` },
        setWhere: sql`${modelCall.finished_at} is null and ${modelCall.calling_until} < now()`,
      })
      .returning({ calls: modelCall.calls });
    if (taken.length > 0) return { kind: "mine", token };
    const [row] = await db
      .select({
        ...finishedColumns,
        remainingMs: sql<number>`extract(epoch from ${modelCall.calling_until} - clock_timestamp())::float8 * 1000`,
      })
      .from(modelCall)
      .where(rowOf(call));
    if (row === undefined) return { kind: "busy", remainingMs: 0 };
    if (row.finished_at === null) return { kind: "busy", remainingMs: Math.max(0, row.remainingMs) };
    return { kind: "finished", finished: finishedIn(row) };
  });
}

function finish(
  database: Database,
  work: { readonly call: Call; readonly token: string; readonly finished: Finished; readonly prices: Prices },
): Promise<Finished> {
  const { call, finished, prices } = work;
  return database.run("writing a model call down", async (db) => {
    // Whoever is first: one that was taken for dead may still be the first to know.
    const written = await db
      .update(modelCall)
      .set({
        finished_at: sql`clock_timestamp()`,
        ...("error_type" in finished
          ? { error_type: storableText(finished.error_type), error: storableText(finished.error) }
          : {
              answer: finished.answer === undefined ? null : storableText(finished.answer),
              judgement: finished.judgement === undefined ? null : storableJson({ ...finished.judgement }),
              answered_by: storableText(finished.model),
            }),
        ...(finished.usage !== undefined && withUsage(finished.usage, prices)),
      })
      .where(unfinished(call))
      .returning({ round: modelCall.round });
    if (written.length > 0) return finished;
    const [row] = await db.select(finishedColumns).from(modelCall).where(rowOf(call));
    return row === undefined || row.finished_at === null ? finished : finishedIn(row);
  });
}

const NOTHING_USED: Usage = { prompt_tokens: 0, completion_tokens: 0 };

const finishedColumns = {
  finished_at: modelCall.finished_at,
  answer: modelCall.answer,
  judgement: modelCall.judgement,
  model: modelCall.model,
  answered_by: modelCall.answered_by,
  error_type: modelCall.error_type,
  error: modelCall.error,
  prompt_tokens: modelCall.prompt_tokens,
  completion_tokens: modelCall.completion_tokens,
};

type FinishedRow = Pick<typeof modelCall.$inferSelect, keyof typeof finishedColumns>;

function finishedIn(row: FinishedRow): Finished {
  const { answer, judgement, answered_by, model, error_type, error, prompt_tokens, completion_tokens } = row;
  const usage = { prompt_tokens, completion_tokens };
  if (error_type !== null) return { error_type, error: error ?? "", usage };
  return {
    ...(answer === null ? {} : { answer }),
    ...(judgement === null ? {} : { judgement }),
    model: answered_by ?? model,
    usage,
  };
}

function rowOf({ id, round, attempt, purpose }: Call) {
  return and(
    eq(modelCall.question_hash, id),
    eq(modelCall.round, round),
    eq(modelCall.attempt, attempt),
    eq(modelCall.purpose, purpose),
  );
}

function unfinished(call: Call) {
  return and(rowOf(call), isNull(modelCall.finished_at));
}
