/**
 * Where partitions start that are about to become ours.
 *
 * In: partitions. Out: the group's committed offset of each, else the edge that was chosen for groups without one, as a number.
 * librdkafka is left to look an edge up only where no broker tells it in time: it takes a topic that its leader does not know of yet, one
 * that was made a moment ago, for a permanent error, and reads nothing of that partition ever again; and its answer is thrown away, and
 * asked for again after 500 ms, whenever the partition is paused or resumed meanwhile (2.16). Never here: who owns what.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { pause, systemClock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import { ERROR, requestFailure } from "./failures.ts";
import { logLives } from "./log-life.ts";
import { committedOffsets, edgeEntries, type OffsetQuestion } from "./offsets.ts";
import { keyOf, type PartitionEntry, START } from "./partitions.ts";

/** A partition that became ours and where it starts. */
export interface StartedPartition extends TopicPartition {
  /** The offset that the group had committed, or the end where a group without one starts at `latest`; undefined where there was none. */
  readonly committed: number | undefined;
  /** The text that was committed beside it. */
  readonly metadata: string | undefined;
  /** Which log the offsets count; see `logLives`. */
  readonly life: string | undefined;
  /** The first offset that is read, or librdkafka's logical one. */
  readonly offset: number;
}

export interface StartQuestion extends Pick<OffsetQuestion, "pump" | "requests"> {
  readonly partitions: readonly TopicPartition[];
  readonly group: string;
  readonly startAt: "earliest" | "latest";
  /** Does nobody want to know any more? */
  readonly closing: () => boolean;
  /** Told of each failure that is tried again. */
  readonly failed: (message: string) => void;
}

/** Asks until it is told; undefined where nobody wants to know any more. */
export async function findStarts(question: StartQuestion): Promise<readonly StartedPartition[] | undefined> {
  const { partitions, closing, failed } = question;
  const patientUntilMs = performance.now() + EDGE_MS;
  for (let waitMs = FIRST_RETRY_MS; !closing(); waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
    try {
      return await askOnce(question, performance.now() < patientUntilMs);
    } catch (error) {
      if (closing()) return undefined;
      failed(`the start of ${partitions.length} partitions is not known yet: ${messageOf(error)}`);
      await pause(systemClock, waitMs);
    }
  }
  return undefined;
}

/** @param patient Is an edge that is not told a failure? */
async function askOnce(question: StartQuestion, patient: boolean): Promise<readonly StartedPartition[]> {
  const { startAt } = question;
  const [committed, lives] = await Promise.all([
    committedOffsets({ ...question, timeoutMs: REQUEST_MS }),
    logLives({ ...question, timeoutMs: LEADER_MS }),
  ]);
  const edges = await edgesOf(
    question,
    committed.filter(({ offset }) => offset === undefined),
    patient,
  );
  return committed.map(({ topic, partition, offset, metadata }) => {
    const key = keyOf(topic, partition);
    const edge = edges.get(key);
    return {
      topic,
      partition,
      // "latest" is pinned to a number, so that what arrives from here on is read even after a crash.
      committed: offset ?? (startAt === "latest" ? edge : undefined),
      metadata,
      life: lives.get(key),
      offset: offset ?? edge ?? START[startAt],
    };
  });
}

/** Where logs begin or end that the group has no place in. At `latest` each must be told: a log's end is another one a moment later. */
async function edgesOf(
  { pump, requests, startAt }: StartQuestion,
  partitions: readonly PartitionEntry[],
  patient: boolean,
): Promise<ReadonlyMap<string, number>> {
  const edges = new Map<string, number>();
  if (partitions.length === 0) return edges;
  const asked = partitions.map(({ topic, partition }) => ({ topic, partition }));
  const mayFail = startAt === "earliest" && !patient;
  try {
    const timeoutMs = startAt === "latest" ? REQUEST_MS : LEADER_MS;
    const entries = await edgeEntries({ pump, requests, partitions: asked, edge: startAt, timeoutMs });
    for (const { topic, partition, offset, err } of entries) {
      if (err === ERROR.none && offset !== undefined) edges.set(keyOf(topic, partition), offset);
      else if (!mayFail)
        throw requestFailure(pump.library, err, `the ${startAt} offset of ${topic} ${partition}`);
    }
  } catch (error) {
    if (!mayFail) throw error;
  }
  return edges;
}

const REQUEST_MS = 10_000;
/** A partition without a leader must not keep the others from starting for long. */
const LEADER_MS = 2_000;
const EDGE_MS = 2_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
