/**
 * The claim in Postgres: one transaction that takes its rows back when anything fails.
 *
 * In: topics, a way to publish. Out: how many rows were taken; they are published and deleted, or parked.
 * Never here: what fits a topic, when the next claim is.
 */
import type { Clock } from "../ground/clock.ts";
import { failpoint } from "../ground/failpoint.ts";
import { oneAtATime } from "../ground/one-at-a-time.ts";
import { claimFloor, START, type Floor } from "./claim-floor.ts";
import type { Connections, Run } from "./connection.ts";
import { publishDeadline, within } from "./deadline.ts";
import { dueMessage, misfitColumns, topicColumns, type ClaimedRow } from "./rows.ts";
import type { Statements } from "./statements.ts";
import type { ClaimOptions } from "./store.ts";

export interface PostgresClaimOptions {
  /** One for each claim that may be under way at a time. */
  readonly connections: readonly Pick<Connections, "transaction">[];
  readonly app: string;
  readonly statements: Statements;
  readonly clock: Clock;
  readonly publishDeadlineMs: number;
}

/** A claim goes to the connection with the fewest under way, and waits there for its turn. */
export function postgresClaim({ connections, ...options }: PostgresClaimOptions) {
  const reader = readerOf(options);
  const claimers = connections.map((connection) => ({
    claim: claimOn({ connection, reader, ...options }),
    underWay: 0,
  }));
  return async function claim(work: ClaimOptions): Promise<number> {
    const claimer = claimers.reduce((least, each) => (each.underWay < least.underWay ? each : least));
    claimer.underWay++;
    try {
      return await claimer.claim(work);
    } finally {
      claimer.underWay--;
    }
  };
}

/** The row of sql/begin-claim.sql. */
interface BegunClaim {
  readonly now_s: number;
}

type Reader = ReturnType<typeof readerOf>;

/**
 * Takes rows for all connections, one claim at a time, each from where the one before it ended: read side by side they walk over what
 * the others are just locking (`bun run bench schedule-drain`).
 */
function readerOf({ app, statements, clock }: Pick<PostgresClaimOptions, "app" | "statements" | "clock">) {
  const floor = claimFloor(clock);
  const inTurn = oneAtATime();

  async function readFrom(run: Run, from: Floor, { topics, versions, limit }: ClaimOptions) {
    const [names, highest] = topicColumns(topics, versions);
    const rows = await run<ClaimedRow>(statements.claim, [app, names, limit, from.due_s, highest, from.id]);
    floor.took(topics, { rows, limit });
    return rows;
  }

  return {
    /** Due rows, which the transaction of `run` holds. */
    read(run: Run, options: ClaimOptions): Promise<readonly ClaimedRow[]> {
      return inTurn(async () => {
        const from = floor.at(options.topics);
        const rows = await readFrom(run, from, options);
        // Nothing behind the floor is no proof that nothing is due.
        return rows.length === 0 && from !== START ? await readFrom(run, START, options) : rows;
      });
    },
    /** Told that rows which were read may be back in their places. */
    putBack: () => floor.forget(),
  };
}

interface ClaimOn extends Omit<PostgresClaimOptions, "connections" | "app"> {
  readonly connection: Pick<Connections, "transaction">;
  readonly reader: Reader;
}

function claimOn({ connection, reader, statements, clock, publishDeadlineMs }: ClaimOn) {
  async function take(run: Run, begunMs: number, options: ClaimOptions): Promise<number> {
    const sinceMs = clock.monotonicMs();
    const rows = await reader.read(run, options);
    if (rows.length === 0) return 0;
    const nowMs = begunMs + clock.monotonicMs() - sinceMs;
    const publishing = options.publish(rows.map((row) => dueMessage(row, nowMs)));
    const published = within(publishing, publishDeadline(publishDeadlineMs, clock));
    // What is checked already can only be published or wait: deleted while the broker acknowledges, put back where it does not.
    const checked = rows.filter((row) => !isByHand(row));
    const gone = remove(run, checked);
    gone.catch(() => {});
    const misfits = (await published) ?? [];
    await gone;
    if (misfits.length > 0) await run(statements.park, misfitColumns(misfits));
    // Those that were parked are gone already.
    if (checked.length < rows.length) await remove(run, rows.filter(isByHand));
    const fences = new Set(rows.flatMap(({ fence }) => (fence === null ? [] : [fence])));
    if (fences.size > 0) await run(statements.fencesMoved, [`{${[...fences].join(",")}}`]);
    failpoint("schedule.deleted");
    return rows.length;
  }

  async function remove(run: Run, rows: readonly ClaimedRow[]): Promise<void> {
    if (rows.length > 0) await run(statements.deletePublished, [`{${rows.map(({ id }) => id).join(",")}}`]);
  }

  return async function claim(options: ClaimOptions): Promise<number> {
    try {
      return await connection.transaction(statements.beginClaim, (run, [begun]) =>
        take(run, (begun as BegunClaim).now_s * 1_000, options),
      );
    } catch (error) {
      reader.putBack();
      throw error;
    }
  };
}

function isByHand({ by_hand_born_at_ms }: ClaimedRow): boolean {
  return by_hand_born_at_ms !== null;
}
