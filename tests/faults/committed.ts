/**
 * What the pipeline's groups have committed, as the broker tells it, finished messages above the commit included.
 *
 * In: a prefix, an admin. Out: whether an offset is covered. Never here: the engine's own memory.
 */
import type { Bus } from "../../runtime/bus/bus.ts";
import { readFinishedAbove } from "../../runtime/engine/commit-metadata.ts";
import type { Run } from "../../runtime/engine/frontier.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import type { Admin } from "../../runtime/kafka/index.ts";
import { PARTITIONS, pipeline } from "./pipeline.ts";

export interface CommittedState {
  /** Does an acknowledged commit say that this record is finished? */
  covers(topic: string, partition: number, offset: number): boolean;
}

interface Committed {
  readonly offset: number;
  readonly above: readonly Run[];
}

export async function readCommitted(from: {
  readonly prefix: string;
  readonly admin: Admin;
}): Promise<CommittedState> {
  const found = new Map<string, Committed>();
  const { handlers } = pipeline(from);
  for (const handler of handlers) {
    const { group } = namesFor(from.prefix, handler);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
      topic: handler.on.name,
      partition,
    }));
    for (const { topic, partition, offset = 0, metadata = "" } of await from.admin.committedOffsets(
      group,
      partitions,
    )) {
      found.set(`${topic}/${partition}`, { offset, above: finishedAbove(metadata, offset) });
    }
  }
  return {
    covers(topic, partition, offset) {
      const committed = found.get(`${topic}/${partition}`);
      if (committed === undefined) return false;
      return (
        offset < committed.offset || committed.above.some(({ from: low, to }) => low <= offset && offset < to)
      );
    },
  };
}

/**
 * Does no record of the pipeline wait for its commit? `onMid`: what was seen of the middle topic, where transactions write it. Behind
 * the last message lie their control records then, which nobody's commit ever passes.
 */
export async function allCommitted(from: {
  readonly prefix: string;
  readonly admin: Admin;
  readonly bus: Bus;
  readonly onMid: readonly { readonly partition: number; readonly offset: number }[] | undefined;
}): Promise<boolean> {
  const { topics } = pipeline(from);
  const waiting = await waitingFor(from);
  const { onMid } = from;
  if (waiting.length === 0 || onMid === undefined) return waiting.length === 0;
  const committed = await readCommitted(from);
  return (
    waiting.every(({ topic }) => topic === topics.mid.name) &&
    onMid.every(({ partition, offset }) => committed.covers(topics.mid.name, partition, offset))
  );
}

/** In words: what waits for its commit, and who is the group that should make it. */
export async function whereItStands(from: {
  readonly prefix: string;
  readonly admin: Admin;
  readonly bus: Bus;
}): Promise<string> {
  const waiting = await waitingFor(from);
  const described = await from.admin.describeGroups(groupsOf(from.prefix).map(({ group }) => group));
  return [
    ...waiting.map(({ topic, partition, records }) => `${topic}/${partition} waits with ${records}`),
    ...described.map(({ group, state, members }) => {
      const owners = members.map(({ memberId, partitions }) => {
        const owned = partitions.map(
          ({ topic, partition }) => `${topic.split(".").slice(1).join(".")}/${partition}`,
        );
        return `${memberId.slice(-8)} has ${owned.join(" ") || "nothing"}`;
      });
      return `${group} is ${state}: ${owners.join(", ")}`;
    }),
  ].join("; ");
}

/** Partitions with records that wait for a commit. */
async function waitingFor({ prefix, bus }: { readonly prefix: string; readonly bus: Bus }) {
  return (await bus.backlog(groupsOf(prefix))).filter(({ records }) => records > 0);
}

function groupsOf(prefix: string) {
  return pipeline({ prefix }).handlers.map((handler) => {
    const { group, retryTopic } = namesFor(prefix, handler);
    return { group, topics: [handler.on.name, retryTopic] };
  });
}

/** The text says itself of which log it tells; here nobody has made the topic anew. */
function finishedAbove(metadata: string, offset: number): readonly Run[] {
  const bytes = Buffer.from(metadata.split(".")[1] ?? "", "base64");
  if (bytes.byteLength <= LIFE_AT) return [];
  const life = bytes.toString("utf8", LIFE_AT + 1, LIFE_AT + 1 + bytes.readUInt8(LIFE_AT));
  return readFinishedAbove(metadata, { offset, life });
}

/** Behind the checksum and the offset. */
const LIFE_AT = 12;
