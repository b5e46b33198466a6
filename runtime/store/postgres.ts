/**
 * The schedule in Postgres: rows of one app in one schema, shared by any number of processes.
 *
 * In: an address. Out: a `Store` whose statements end within a deadline and whose claim is one transaction that takes
 * its rows back when anything fails. Connections: `poolSize` for statements, one for the claim, and one for LISTEN once
 * somebody wants to hear of earlier rows. Never here: publishing, retry rules, the application's tables.
 */
import { pause, systemClock, type Clock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import { silentLog, type Log } from "../ground/log.ts";
import { announcements, type Announcements } from "./announcements.ts";
import { claimFloor, START } from "./claim-floor.ts";
import { textColumn } from "./columns.ts";
import { connections, type Connections } from "./connection.ts";
import { publishDeadline, within } from "./deadline.ts";
import { gatherInserts } from "./gather.ts";
import { STORE_LIMITS, type StoreLimits } from "./limits.ts";
import { listenersByHandler } from "./listeners.ts";
import { migrate } from "./migrate.ts";
import { postgresFences } from "./postgres-fences.ts";
import { watchPresence, type Presence } from "./presence.ts";
import { distinct, dueMessage, letterColumns, scheduleColumns, type ClaimedRow } from "./rows.ts";
import { checkedSchema, statementsFor } from "./statements.ts";
import type { ClaimOptions, DueMessage, ScheduleCounts, Store } from "./store.ts";

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
  const { url, app, directUrl = url, clock = systemClock, log = silentLog, signal } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const schema = checkedSchema(options.schema ?? "cauce");
  if (app === "" || app.length > 200 || app.includes("\0")) {
    throw new CauceError("config_invalid", `the app's name must have 1 to 200 characters, not ${app.length}`);
  }
  const shared = { url, clock, statementTimeoutMs: limits.statementTimeoutMs };
  const pool = connections({
    ...shared,
    max: options.poolSize ?? limits.poolSize,
    name: "cauce store",
    ended: () => presence.look(),
  });
  const presence = watchPresence({ run: pool.run, clock });
  const claims = connections({ ...shared, max: 1, name: "cauce claim" });
  try {
    const open = async () => {
      await migrate({ url: directUrl, schema, log });
      // A process without a scheduler may have no statement for hours, and it is connected all the same.
      await pool.run("SELECT 1");
    };
    await reached(open, { clock, log, signal, waiting: options.waiting });
  } catch (error) {
    presence.close();
    await Promise.all([pool.close(), claims.close()]);
    throw error;
  }
  presence.look();
  return storeOn({ pool, presence, claims, schema, app, directUrl, clock, log, limits });
}

interface StoreParts {
  readonly pool: Connections;
  readonly presence: Presence;
  readonly claims: Connections;
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
  const listeners = new Set<() => void>();
  const raisedListeners = listenersByHandler();
  const resumeListeners = listenersByHandler();
  let ears: Announcements | undefined;
  let counted: { readonly atMs: number; readonly counts: Promise<readonly ScheduleCounts[]> } | undefined;
  let purgedAtMs = clock.monotonicMs();
  let purging: Promise<unknown> | undefined;
  const floor = claimFloor(clock);

  const schedule = gatherInserts({
    atOnce: limits.insertsAtOnce,
    rows: limits.insertRows,
    async insert(batch) {
      const [row] = await pool.run<{ added: string | null }>(statements.insert, [
        app,
        ...scheduleColumns(batch),
      ]);
      return new Set(row?.added?.split(",").map(Number));
    },
  });

  async function claim({ topics, limit, publish }: ClaimOptions): Promise<number> {
    const from = floor.at(topics);
    // Whatever goes wrong, the next one looks at all of them.
    floor.forget();
    const taken = await claims.transaction(statements.beginClaim, async (run) => {
      const rows = await run<ClaimedRow>(statements.claim, [app, textColumn(topics), limit, from]);
      if (rows.length === 0) return rows;
      const due: readonly DueMessage[] = rows.map(dueMessage);
      await within(publish(due), publishDeadline(publishDeadlineMs, clock));
      await run(statements.deletePublished, [`{${rows.map(({ id }) => id).join(",")}}`]);
      failpoint("schedule.deleted");
      return rows;
    });
    // Nothing behind the floor is no proof that nothing is due.
    if (taken.length === 0 && from !== START) return await claim({ topics, limit, publish });
    floor.claimed(topics, { dueAts: taken, limit });
    return taken.length;
  }

  function listen(): void {
    ears ??= announcements({
      url: directUrl,
      schema,
      app,
      run: pool.run,
      clock,
      log,
      limits,
      call: () => listeners.forEach((each) => each()),
      raised: (handler) => {
        raisedListeners.tell(handler);
      },
      resume: (handler) => resumeListeners.tell(handler),
    });
  }

  const fences = postgresFences({
    run: pool.run,
    app,
    statements,
    limits,
    onRaised(handler, call) {
      listen();
      return raisedListeners.add(handler, call);
    },
  });

  async function purgeKeys(): Promise<number> {
    let total = 0;
    for (let batch = 0; batch < limits.purgeBatches; batch++) {
      const [row] = await pool.run<{ purged: number }>(statements.purgeKeys, [
        limits.tombstoneMs,
        limits.purgeBatch,
      ]);
      total += row?.purged ?? 0;
      if ((row?.purged ?? 0) < limits.purgeBatch) break;
    }
    return total;
  }

  async function releaseStuck(): Promise<number> {
    const [row] = await pool.run<{ released: number }>(statements.releaseStuck, [app, limits.stuckFenceMs]);
    const released = row?.released ?? 0;
    if (released > 0)
      log.warn("fenced keys had not moved for long; what is next at each was sent again", { released });
    return released;
  }

  /** Schedulers keep the table of keys small, and fences moving, beside their work. */
  function tidySometimes(): void {
    if (purging || clock.monotonicMs() - purgedAtMs < limits.purgeEveryMs) return;
    purgedAtMs = clock.monotonicMs();
    purging = Promise.all([purgeKeys(), releaseStuck()])
      .catch((error: unknown) => log.debug("the schedule was not tidied", { error: messageOf(error) }))
      .finally(() => (purging = undefined));
  }

  async function count(): Promise<readonly ScheduleCounts[]> {
    const rows = await pool.run<{
      topic: string;
      waiting: number;
      due: number;
      oldest_due_ms: number | null;
    }>(statements.count, [app, limits.countedRows]);
    return rows.map(({ topic, waiting, due, oldest_due_ms }) => ({
      topic,
      waiting,
      due,
      oldestDueMs: Math.round(oldest_due_ms ?? 0),
    }));
  }

  return {
    description: `${pool.description}, schema ${schema}`,
    get connected() {
      return pool.connected;
    },
    fences,
    async schedule(messages) {
      return messages.length === 0 ? 0 : await schedule(messages);
    },
    async bury(letters) {
      const batch = distinct(letters);
      if (batch.length === 0) return 0;
      const [row] = await pool.run<{ added: number }>(statements.bury, [app, ...letterColumns(batch)]);
      return row?.added ?? 0;
    },
    claim,
    async nextDueMs(topics) {
      tidySometimes();
      const [row] = await pool.run<{ next_ms: number | null }>(statements.nextDue, [app, textColumn(topics)]);
      const nextMs = row?.next_ms ?? null;
      return nextMs === null ? null : Math.max(0, nextMs);
    },
    onEarlier(call) {
      listeners.add(call);
      listen();
      return () => listeners.delete(call);
    },
    onResume(handler, call) {
      listen();
      return resumeListeners.add(handler, call);
    },
    async resume(handler) {
      await pool.run(statements.resume, [app, handler]);
    },
    async counts() {
      const nowMs = clock.monotonicMs();
      if (counted && nowMs - counted.atMs < limits.countsAgeMs) return await counted.counts;
      const counts = count();
      counted = { atMs: nowMs, counts };
      counts.catch(() => (counted = undefined));
      return await counts;
    },
    purgeKeys,
    releaseStuck,
    async close() {
      listeners.clear();
      raisedListeners.clear();
      resumeListeners.clear();
      presence.close();
      await Promise.all([purging, ears?.close(), claims.close(), pool.close()]);
    },
  };
}

interface Reach {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
  readonly waiting: ((failure: CauceError, tries: number) => void) | undefined;
}

/** Said at the first failure, whenever the reason changes, and every tenth time. */
async function reached(call: () => Promise<unknown>, { clock, log, signal, waiting }: Reach): Promise<void> {
  let said = "";
  for (let tries = 1; ; tries++) {
    if (signal?.aborted) throw new CauceError("aborted", "stopped while waiting for Postgres");
    try {
      await call();
      if (tries > 1) log.info("Postgres is there", { tries });
      return;
    } catch (error) {
      if (!(error instanceof CauceError) || !error.retryable) throw error;
      waiting?.(error, tries);
      if (error.message !== said || tries % 10 === 0) log.warn(`${error.message}; trying again`, { tries });
      said = error.message;
      await pause(clock, Math.min(100 * 2 ** Math.min(tries - 1, 6), 5_000), signal);
    }
  }
}
