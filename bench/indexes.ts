/**
 * `bun bench/indexes.ts [ROWS]`: what Postgres does for each statement of the application, with a million rows in each table.
 *
 * In: a number of rows. Out: a table of plans and times, on a real Postgres that it starts; exit code 1 when one of them reads a whole
 * table. The statements are those that the repository really sends: they are caught on their way. Never here: changing them.
 */
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { Database } from "../handlers/shared/storage/database.ts";
import { migrateTables } from "../handlers/shared/storage/migrate.ts";
import { createRepository, type Repository } from "../handlers/shared/storage/repository.ts";
import { createViews } from "../handlers/shared/storage/views.ts";
import { startPostgres } from "../tests/services/postgres.ts";

export interface Explained {
  readonly what: string;
  /** Scans of tables, as `Index Scan using question_pkey on question`. */
  readonly scans: readonly string[];
  readonly ms: number;
}

interface Caught {
  readonly what: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

interface Plan {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Relation Name"?: string;
  readonly Plans?: readonly Plan[];
}

/** Rows of `table`, numbered from 1; most questions are done, one in a thousand is open. */
const FILL = (rows: number) => `
  insert into question (id, title, content, best_answer, state, state_at, claimed_at, published_at, publish_tried_at, ended_at)
    select md5(n::text), 'Question ' || n, '', '', case when n % 1000 = 0 then 'queued' else 'done' end,
           now() - n * interval '1 s', now() - n * interval '1 s',
           case when n % 2000 = 0 then null else now() end, now() - n * interval '1 s', now()
      from generate_series(1, ${rows}) n;
  insert into response_event (question_hash, round, title, content, best_answer, answer, score, rubric, below_threshold, model, judge, attempts, deferrals)
    select md5(n::text), 1, 'Question ' || n, '', '', repeat('An answer. ', 20), 8.5, '{"accuracy": 9}', false, 'm', 'j', 1, 0
      from generate_series(1, ${rows}) n;
  insert into question_step (question_hash, round, step, at, detail)
    select md5((n % ${Math.ceil(rows / 4)} + 1)::text), 1, 'generating', now() - n * interval '0.6 s', '{}' from generate_series(1, ${rows}) n;
  insert into reference_answer (question_hash, best_answer) select md5(n::text), 'other' from generate_series(1, ${rows}, 10) n;
  vacuum analyze question, response_event, question_step, reference_answer;`;

/** Everything that is asked while questions come and go, and what the keeper asks now and then. */
const CALLS: readonly ((repository: Repository, id: string) => Promise<unknown>)[] = [
  (repository, id) => repository.findResult(id),
  (repository) => repository.claim({ id: "f".repeat(32), title: "New", content: "", best_answer: "a" }, null),
  (repository, id) => repository.claim({ id, title: "Known", content: "", best_answer: "other" }, null),
  (repository, id) => repository.markPublished({ id, round: 1 }),
  (repository, id) => repository.releaseClaim({ id, round: 1 }),
  (repository, id) => repository.findStatus(id),
  (repository, id) => repository.stepsAfter({ ids: [id], after: 0n, limit: 500 }),
  (repository, id) => repository.endedAmong([id]),
  (repository, id) =>
    repository.writeSteps([{ id, round: 1, step: "scoring", atMs: 0, state: "scoring", detail: {} }]),
  (repository, id) => repository.failOpenQuestion({ id, round: 9, reason: "x" }),
  (repository) => repository.takeUnpublished({ olderThanMs: 60_000, limit: 200 }),
  (repository) => repository.failForgotten({ olderThanMs: 86_400_000, limit: 1_000 }),
  (repository) => repository.forgetSteps({ olderThanMs: 7 * 86_400_000, limit: 1_000 }),
];

/** Fills the tables of an empty database and explains every statement. Nothing that is explained stays. */
export async function explainAll(url: string, rows: number): Promise<readonly Explained[]> {
  await migrateTables(url);
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  const caught: Caught[] = [];
  try {
    const catching = catchingDatabase(client, caught);
    await createViews(catching);
    await client.unsafe(FILL(rows).split("vacuum")[0] ?? "");
    await client.unsafe("vacuum analyze question, response_event, question_step, reference_answer");
    caught.length = 0;
    const repository = createRepository(catching);
    for (const call of CALLS) await call(repository, Bun.CryptoHasher.hash("md5", "4242", "hex"));
    const statements = new Map(caught.map((one) => [one.text, one]));
    const explained: Explained[] = [];
    for (const one of statements.values())
      if (/^\s*(?:select|insert|update|delete|with)\b/i.test(one.text))
        explained.push(await explain(client, one));
    return explained;
  } finally {
    await client.end();
  }
}

async function explain(client: postgres.Sql, { what, text, values }: Caught): Promise<Explained> {
  // Without a plan for the values at hand: as a prepared statement is run after its first times.
  await client.unsafe("begin; set local plan_cache_mode = force_generic_plan");
  const [row] = await client.unsafe(`explain (analyze, timing off, format json) ${text}`, [
    ...values,
  ] as string[]);
  await client.unsafe("rollback");
  // EXPLAIN in JSON is one row of one column, which the driver has parsed and cannot have typed.
  const [{ Plan: plan, "Execution Time": ms } = { Plan: null, "Execution Time": NaN }] = (
    row as unknown as { "QUERY PLAN": { Plan: Plan; "Execution Time": number }[] }
  )["QUERY PLAN"];
  return { what, scans: plan === null ? [] : scansIn(plan), ms };
}

function scansIn(plan: Plan): string[] {
  const { "Node Type": type, "Index Name": index, "Relation Name": table } = plan;
  const inner = (plan.Plans ?? []).flatMap(scansIn);
  if (table === undefined || !type.includes("Scan"))
    return index === undefined ? inner : [`${type} on ${index}`, ...inner];
  return [index === undefined ? `${type} on ${table}` : `${type} using ${index} on ${table}`, ...inner];
}

/** Runs everything on one connection and keeps what was sent. */
function catchingDatabase(client: postgres.Sql, caught: Caught[]): Database {
  let what = "";
  const begin = async (work: (session: postgres.Sql) => Promise<unknown>) => await work(client);
  const db = drizzle(Object.assign(client, { begin }), {
    logger: { logQuery: (text, values) => void caught.push({ what, text, values }) },
  });
  return {
    async run(named, queries) {
      what = named;
      return await queries(db);
    },
    perform: async <Row, Values>(
      named: string,
      statement: { text: string; bind(values: Values): (string | number | null)[] },
      values: Values,
    ) => {
      caught.push({ what: named, text: statement.text, values: statement.bind(values) });
      // As database.ts: whoever performs a statement knows its rows.
      return [...(await client.unsafe(statement.text, statement.bind(values)))] as unknown as Row[];
    },
    close: () => Promise.resolve(),
  };
}

/** What reads a whole table of ours. */
export const wholeTables = ({ scans }: Explained) =>
  scans.filter((scan) =>
    /^(?:Parallel )?Seq Scan on (?:question|response_event|question_step|reference_answer)$/.test(scan),
  );

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main) {
  const rows = Number(process.argv[2] ?? 1_000_000);
  const server = await startPostgres();
  try {
    const all = await explainAll(await server.createDatabase("indexes"), rows);
    process.stdout.write(`${rows} rows a table\n`);
    for (const one of all)
      process.stdout.write(
        `${one.what}: ${one.ms.toFixed(2)} ms\n${one.scans.map((scan) => `    ${scan}\n`).join("")}`,
      );
    process.exitCode = all.some((one) => wholeTables(one).length > 0) ? 1 : 0;
  } finally {
    await server.stop();
  }
}
