/**
 * How far groups are behind, asked of the broker without joining them.
 *
 * In: groups with their topics. Out: per partition the records that the group has not committed.
 */
import { type Admin, ERROR } from "../kafka/index.ts";
import type { Backlog, GroupTopics, TopicPartition } from "./bus.ts";

/** @throws CauceError `broker` where the broker does not answer; topics that do not exist are left out */
export async function groupBacklogs(
  admin: Admin,
  groups: readonly GroupTopics[],
): Promise<readonly Backlog[]> {
  const topics = [...new Set(groups.flatMap((group) => group.topics))];
  const described = (await admin.describeTopics(topics)).filter((topic) => topic.err === ERROR.none);
  const partitions = described.flatMap(({ name, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
  );
  const [firsts, ends, ...committed] = await Promise.all([
    admin.listOffsets(partitions, "earliest"),
    admin.listOffsets(partitions, "latest"),
    ...groups.map(({ group, topics: read }) =>
      admin.committedOffsets(
        group,
        partitions.filter(({ topic }) => read.includes(topic)),
      ),
    ),
  ]);
  const first = byPartition(firsts);
  const end = byPartition(ends);
  return groups.flatMap(({ group }, at) =>
    (committed[at] ?? []).map(({ topic, partition, offset }) => {
      const key = keyOf({ topic, partition });
      const read = offset ?? first.get(key) ?? 0;
      return {
        group,
        topic,
        partition,
        records: Math.max(0, (end.get(key) ?? read) - read),
        committed: read,
      };
    }),
  );
}

function byPartition(
  entries: readonly (TopicPartition & { readonly offset?: number | undefined })[],
): Map<string, number> {
  return new Map(entries.map((entry) => [keyOf(entry), entry.offset ?? 0]));
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
