/**
 * The schedule in Postgres: rows of one app in one schema, shared by any number of processes.
 *
 * In: an address. Out: a `Store` whose statements end within a deadline and whose claim is one transaction that takes
 * its rows back when anything fails. Connections: `poolSize` for statements, one for the claim, and one for LISTEN once
 * somebody wants to hear of earlier rows. Never here: publishing, retry rules, the application's tables.
 */
import { systemClock, type Clock } from "../ground/clock.ts";
import type { CauceError } from "../ground/errors.ts";
import { silentLog, type Log } from "../ground/log.ts";
import { connections, type Connections } from "./connection.ts";
import { gatherInserts } from "./gather.ts";
import { hearing } from "./hearing.ts";
import { STORE_LIMITS, type StoreLimits } from "./limits.ts";
import { migrate } from "./migrate.ts";
import { postgresClaim } from "./postgres-claim.ts";
import { postgresFences } from "./postgres-fences.ts";
import { postgresTurns } from "./postgres-turns.ts";
import { watchPresence, type Presence } from "./presence.ts";
import { reached } from "./reach.ts";
import { distinct, letterColumns, scheduleColumns, topicColumns } from "./rows.ts";
import { checkedApp, checkedSchema, statementsFor } from "./statements.ts";
import type { ScheduleCounts, Store } from "./store.ts";
import { tidyFor } from "./tidy.ts";

export interface PostgresStoreOptions {
  readonly url: string;
  /** Owner of the rows. */
  readonly app: string;
  /** Where the tables are. Default `cauce`. */
  readonly schema?: string;
  /** For LISTEN and migrations where `url` leads through a pooler. Default `url`. */
  readonly directUrl?: string;
  /** Connections for statements. Default 4. */
  readonly poolSize?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Ends the wait for a database that is away at the start. */
  readonly signal?: AbortSignal;
  /** Told each time that the database could not be reached at the start, before the next try. */
  readonly waiting?: (failure: CauceError, tries: number) => void;
  /** Bounds that differ from limits.ts. */
  readonly limits?: Partial<StoreLimits>;
}

export interface PostgresStore extends Store {
  /** Removes keys older than the tombstone age whose row is gone; runs by itself where there is a scheduler. */
  purgeKeys(): Promise<number>;
  /** Sends what is next at fences that stand still for `stuckFenceMs`, and is nowhere in the schedule, again; also by itself. */
  releaseStuck(): Promise<number>;
}

/**
 * Migrates and resolves when the tables are there; a database that is away is waited for.
 * @throws CauceError `config_invalid` for a bad option, `database` when Postgres refuses, `aborted` by the signal.
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const { url, directUrl = url, clock = systemClock, log = silentLog, signal } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const schema = checkedSchema(options.schema ?? "cauce");
  const app = checkedApp(options.app);
  const shared = { url, clock, statementTimeoutMs: limits.statementTimeoutMs };
  const pool = connections({
    ...shared,
    max: options.poolSize ?? limits.poolSize,
    name: "cauce store",
    ended: () => presence.look(),
  });
  const presence = watchPresence({ run: pool.run, clock });
  const claims = Array.from({ length: limits.claimsAtOnce }, () =>
    connections({ ...shared, max: 1, name: "cauce claim" }),
  );
  try {
    const open = async () => {
      await migrate({ url: directUrl, schema, log });
      // A process without a scheduler may have no statement for hours, and it is connected all the same.
      await pool.run("SELECT 1");
    };
    await reached(open, { clock, log, signal, waiting: options.waiting });
  } catch (error) {
    presence.close();
    await Promise.all([pool, ...claims].map((each) => each.close()));
    throw error;
  }
  presence.look();
  return storeOn({ pool, presence, claims, schema, app, directUrl, clock, log, limits });
}

interface StoreParts {
  readonly pool: Connections;
  readonly presence: Presence;
  readonly claims: readonly Connections[];
  readonly schema: string;
  readonly app: string;
  readonly directUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: StoreLimits;
}

function storeOn({
  pool,
  presence,
  claims,
  schema,
  app,
  directUrl,
  clock,
  log,
  limits,
}: StoreParts): PostgresStore {
  const { idleInTransactionMs, statementTimeoutMs, publishDeadlineMs } = limits;
  const statements = statementsFor({ schema, idleInTransactionMs, statementTimeoutMs });
  const heard = hearing({ url: directUrl, schema, app, run: pool.run, clock, log, limits });
  const tidy = tidyFor({ run: pool.run, app, statements, limits, clock, log });
  const claim = postgresClaim({ connections: claims, app, statements, clock, publishDeadlineMs });
  const fences = postgresFences({ run: pool.run, app, statements, limits, onRaised: heard.onRaised });
  const schedule = gatherInserts({
    atOnce: limits.insertsAtOnce,
    rows: limits.insertRows,
    restShare: limits.insertRestShare,
    longestRestMs: limits.insertLongestRestMs,
    clock,
    async insert(batch) {
      const [row] = await pool.run<{ added: string | null }>(statements.insert, [
        app,
        ...scheduleColumns(batch),
      ]);
      return new Set(row?.added?.split(",").map(Number));
    },
  });
  let counted: { readonly atMs: number; readonly counts: Promise<readonly ScheduleCounts[]> } | undefined;

  return {
    description: `${pool.description}, schema ${schema}`,
    get connected() {
      return pool.connected;
    },
    fences,
    turns: postgresTurns({ run: pool.run, app, statements }),
    async schedule(messages, { giveWay = false } = {}) {
      return messages.length === 0 ? 0 : await schedule(messages, giveWay);
    },
    async bury(letters) {
      const batch = distinct(letters);
      if (batch.length === 0) return 0;
      const [row] = await pool.run<{ added: number }>(statements.bury, [app, ...letterColumns(batch)]);
      return row?.added ?? 0;
    },
    claim,
    claimsAtOnce: limits.claimsAtOnce,
    async nextDueMs(topics, versions) {
      tidy.sometimes();
      const [row] = await pool.run<{ next_ms: number | null }>(statements.nextDue, [
        app,
        ...topicColumns(topics, versions),
      ]);
      const nextMs = row?.next_ms ?? null;
      return nextMs === null ? null : Math.max(0, nextMs);
    },
    onEarlier: heard.onEarlier,
    onResume: heard.onResume,
    async resume(handler) {
      await pool.run(statements.resume, [app, handler]);
    },
    async counts() {
      const nowMs = clock.monotonicMs();
      if (counted && nowMs - counted.atMs < limits.countsAgeMs) return await counted.counts;
      const counts = pool.run<CountRow>(statements.count, [app, limits.countedRows]).then(countsOf);
      counted = { atMs: nowMs, counts };
      counts.catch(() => (counted = undefined));
      return await counts;
    },
    purgeKeys: tidy.purgeKeys,
    releaseStuck: tidy.releaseStuck,
    async close() {
      presence.close();
      await Promise.all([tidy.done(), heard.close(), ...[pool, ...claims].map((each) => each.close())]);
    },
  };
}

interface CountRow {
  readonly topic: string;
  readonly waiting: number;
  readonly due: number;
  readonly oldest_due_ms: number | null;
}

function countsOf(rows: readonly CountRow[]): readonly ScheduleCounts[] {
  return rows.map(({ topic, waiting, due, oldest_due_ms }) => ({
    topic,
    waiting,
    due,
    oldestDueMs: Math.round(oldest_due_ms ?? 0),
  }));
}
