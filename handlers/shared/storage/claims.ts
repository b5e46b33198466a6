/**
 * The claim: of any number of askers of one question exactly one wins, and the winner's request is kept whole.
 *
 * In: a question. Out: who won and in which round. The row outlives every process: what was claimed and not published is
 * published again by the keeper (handlers/shared/keeper).
 */
import { and, eq, isNull, sql, type SQL } from "drizzle-orm";
import { question, referenceAnswer, responseEvent, type QuestionState } from "../../../schema/tables.ts";
import type { Database, Queries } from "./database.ts";
import { statement } from "./statement.ts";

/** What somebody asked. */
export interface AskedQuestion {
  readonly id: string;
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

/** A question whose request has to be published. The first asker's words and reference answer. */
export interface Claim extends AskedQuestion {
  readonly round: number;
  readonly claimed_at: Date;
}

export type ClaimResult =
  { readonly won: true; readonly claim: Claim } | { readonly won: false; readonly state: QuestionState };

/** Other reference answers kept for one question. */
const MOST_REFERENCES = 20;

/** The columns of a claim, as `returning` and `select` take them. */
export const claimColumns = {
  id: question.id,
  title: question.title,
  content: question.content,
  best_answer: question.best_answer,
  round: question.round,
  claimed_at: question.claimed_at,
};

/** Somebody asked, and the embedded broker's generation that will get the request. */
export interface Asked extends AskedQuestion {
  readonly brokerGeneration: string | null;
}

/**
 * Claims questions, nearly always in one statement, and says in their order who won. A question that failed, was cancelled, or is
 * done without a result left (somebody deleted the row) opens its next round. Of several askers of one question the first wins.
 */
export async function claimQuestions(
  database: Database,
  asked: readonly Asked[],
): Promise<readonly ClaimResult[]> {
  const first = new Map<string, Asked>();
  for (const one of asked) if (!first.has(one.id)) first.set(one.id, one);
  // In the order of ids, so that two processes never wait for each other in a circle.
  const sorted = [...first.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const rows = await database.perform<ClaimRow, { asked: string }>("claiming questions", CLAIM, {
    asked: JSON.stringify(sorted),
  });
  const won = new Map(rows.map((row) => [row.id, { ...row, claimed_at: new Date(row.claimed_at) }]));
  return await Promise.all(
    asked.map(async (one): Promise<ClaimResult> => {
      const claim = won.get(one.id);
      if (!claim || first.get(one.id) !== one) return await lost(database, one);
      if (claim.best_answer !== one.best_answer)
        await database.run("keeping a reference answer", (db) => keepReference(db, one));
      return { won: true, claim };
    }),
  );
}

function lost(database: Database, asked: Asked): Promise<ClaimResult> {
  return database.run("looking at a claim", async (db) => {
    await keepReference(db, asked);
    const [found] = await db
      .select({ state: question.state })
      .from(question)
      .where(eq(question.id, asked.id));
    if (found?.state !== "done") return { won: false, state: found?.state ?? "queued" };
    const [again] = await reopen(db, asked.id, asked.brokerGeneration);
    return again ? { won: true, claim: again } : { won: false, state: "done" };
  });
}

/**
 * The next round of a question that is done without a result. A statement of its own: the claiming one may have waited for
 * the transaction that stored the result, and then sees the question as it is now, and results as they were before.
 */
function reopen(db: Queries, id: string, brokerGeneration: string | null): Promise<Claim[]> {
  return db
    .update(question)
    .set(nextRound(brokerGeneration))
    .where(
      sql`${question.id} = ${id} and ${question.state} = 'done' and not exists (
        select from ${responseEvent} where ${responseEvent.question_hash} = ${question.id})`,
    )
    .returning(claimColumns);
}

function nextRound(brokerGeneration: string | null | SQL) {
  return {
    round: sql`${question.round} + 1`,
    state: "queued",
    state_at: sql`now()`,
    waiting_reason: null,
    waiting_until: null,
    reason: null,
    claimed_at: sql`now()`,
    published_at: null,
    publish_tried_at: sql`now()`,
    broker_generation: brokerGeneration,
    ended_at: null,
  } as const;
}

/** The time as the driver gives it. */
type ClaimRow = Omit<Claim, "claimed_at"> & { readonly claimed_at: string | Date };

/** Text that Postgres can hold is the asker's business (route-schemas.ts): what it cannot, it refuses. */
const CLAIM = statement<{ asked: string }>((db) =>
  db
    .insert(question)
    .select(
      sql`select asked.id, asked.title, asked.content, asked.best_answer, 1, 'queued', now(), null, null, null, now(), null, now(),
                 asked."brokerGeneration", null
            from jsonb_to_recordset(${sql.placeholder("asked")}::text::jsonb)
              as asked (id text, title text, content text, best_answer text, "brokerGeneration" text)`,
    )
    .onConflictDoUpdate({
      target: question.id,
      set: nextRound(sql`excluded.broker_generation`),
      setWhere: sql`${question.state} in ('failed', 'cancelled')`,
    })
    .returning(claimColumns),
);

/**
 * The broker has the requests of these rounds. Not waited for on its way to the disk: what a crash of Postgres takes back is published
 * once more, under the same id.
 */
export async function markPublished(
  database: Database,
  claims: readonly { readonly id: string; readonly round: number }[],
): Promise<readonly void[]> {
  await database.perform("marking claims as published", MARK, {
    ids: claims.map(({ id }) => id).join(","),
    rounds: claims.map(({ round }) => round).join(","),
  });
  return claims.map(() => {});
}

/**
 * In the order of ids, so that two writers never wait for each other in a circle. As arrays: the planner takes them for a few rows and
 * goes by the key; a set of records it takes for a hundred, and reads a young table whole for them, mark by mark.
 */
const MARK = statement<{ ids: string; rounds: string }>(
  () => sql`
    with undurable as materialized (
      select set_config('synchronous_commit', 'off', true)
    ), sent as (
      select * from unnest(
        string_to_array(${sql.placeholder("ids")}, ','), string_to_array(${sql.placeholder("rounds")}, ',')::int[]
      ) as sent (id, round)
    ), locked as (
      select question.id from ${question} join sent using (id) order by question.id for update of question
    )
    update ${question} set published_at = now()
      from sent join locked using (id), undurable
     where question.id = sent.id and question.round = sent.round and question.published_at is null`,
);

/** Nothing of this claim was sent: whoever looks next may publish it at once. */
export function releaseClaim(
  database: Database,
  { id, round }: { id: string; round: number },
): Promise<void> {
  return database.run("releasing a claim", async (db) => {
    await db
      .update(question)
      .set({ publish_tried_at: sql`'-infinity'` })
      .where(and(eq(question.id, id), eq(question.round, round), isNull(question.published_at)));
  });
}

/** Records a reference answer that differs from the first asker's. Empty ones say nothing. */
async function keepReference(db: Queries, { id, best_answer }: AskedQuestion): Promise<void> {
  if (best_answer === "") return;
  await db.execute(sql`
    insert into ${referenceAnswer} (question_hash, best_answer)
    select id, ${best_answer} from ${question}
    where id = ${id} and best_answer <> ${best_answer}
      and (select count(*) from ${referenceAnswer} where question_hash = ${id}) < ${MOST_REFERENCES}
    on conflict do nothing`);
}
