/**
 * How long a message waits in line: what the groups have not committed, over the rate at which they commit, group by group,
 * over all processes. Asked of Kafka every two seconds.
 *
 * In: a bus, the groups that read. Out: one number. A rate is learned while there is a backlog: a group that has nothing to do
 * says nothing of how fast it could be. Never here: what to do about it.
 */
import type { Backlog, Bus, GroupTopics } from "../bus/bus.ts";
import { pause, type Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export interface Pace {
  /** In ms; 0 while nothing waits or nothing is known. What a message meets in one group after the other is added up. */
  expectedWaitMs(): number;
  stop(): Promise<void>;
}

export interface PaceOptions {
  readonly bus: Pick<Bus, "backlog">;
  readonly groups: readonly GroupTopics[];
  readonly clock: Clock;
  readonly log: Log;
  /** Default 2000. */
  readonly measureEveryMs?: number;
}

/** A rate forgets what is older than this, by and by. */
const MEMORY_MS = 30_000;

/** What is known of one group. */
interface Known {
  committed: number;
  records: number;
  /** Records committed in a ms; null until it has committed something while this looked. */
  rate: number | null;
  /** Since when there is a backlog and nothing was committed. */
  stalledSinceMs: number;
  atMs: number;
}

export function meterPace({ bus, groups, clock, log, measureEveryMs = 2_000 }: PaceOptions): Pace {
  const known = new Map<string, Known>();
  const stopping = new AbortController();

  const measure = async () => {
    const backlog = await bus.backlog(groups);
    const nowMs = clock.monotonicMs();
    for (const [group, partitions] of Map.groupBy(backlog, (of) => of.group)) {
      known.set(group, measured(known.get(group), totalsOf(partitions), nowMs));
    }
  };
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      // Nothing new is known then, and the old still holds.
      await measure().catch((error: unknown) => log.debug("pace not measured", { error: messageOf(error) }));
      await pause(clock, measureEveryMs, stopping.signal);
    }
  })();

  return {
    expectedWaitMs() {
      const nowMs = clock.monotonicMs();
      return [...known.values()].reduce((sum, group) => sum + waitOf(group, nowMs), 0);
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

function totalsOf(partitions: readonly Backlog[]): Pick<Known, "committed" | "records"> {
  let committed = 0;
  let records = 0;
  for (const partition of partitions) {
    committed += partition.committed;
    records += partition.records;
  }
  return { committed, records };
}

function measured(
  before: Known | undefined,
  { committed, records }: Pick<Known, "committed" | "records">,
  nowMs: number,
): Known {
  if (before === undefined) return { committed, records, rate: null, stalledSinceMs: nowMs, atMs: nowMs };
  // Retention or a new log may move it back: then nothing was learned.
  const progress = Math.max(0, committed - before.committed);
  const tookMs = Math.max(1, nowMs - before.atMs);
  const now = progress / tookMs;
  const busy = before.records > 0 && records > 0;
  return {
    committed,
    records,
    rate: rateAfter(before.rate, { now, busy, tookMs }),
    stalledSinceMs: progress > 0 || records === 0 ? nowMs : before.stalledSinceMs,
    atMs: nowMs,
  };
}

/** Without a backlog it is only known that the group can be as fast as it just was. */
function rateAfter(
  rate: number | null,
  { now, busy, tookMs }: { readonly now: number; readonly busy: boolean; readonly tookMs: number },
): number | null {
  if (rate === null) return now > 0 ? now : null;
  if (!busy) return Math.max(rate, now);
  const weight = 1 - Math.exp(-tookMs / MEMORY_MS);
  return rate + weight * (now - rate);
}

/** A group that never did anything here: its messages have waited for as long as it stands still, at least. */
function waitOf({ records, rate, stalledSinceMs }: Known, nowMs: number): number {
  if (records === 0) return 0;
  return rate === null ? nowMs - stalledSinceMs : records / rate;
}
