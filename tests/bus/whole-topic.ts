/**
 * Everything that lies on a topic, as a reader of committed records sees it.
 *
 * In: a bus, a topic. Out: its records. A reader cannot tell the end by a number: control records of transactions lie behind the
 * last message and are never handed out, so whoever waits for the offset before the end waits for ever, and whoever stops at the
 * last message that it expects sees no repeat behind it. So marks are published behind all, on every partition, and read past.
 */
import type { Bus, IncomingRecord } from "../../runtime/bus/bus.ts";
import { bytes, join, textOf } from "./owner.ts";

/** Waits for transactions that are open: what they wrote comes before the marks. */
export async function wholeTopic(
  bus: Bus,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): Promise<readonly IncomingRecord[]> {
  const left = await publishMarks(bus, { topic, partitions });
  const { subscription } = await join(bus, { group: `whole-${crypto.randomUUID()}`, topics: [topic] });
  const seen: IncomingRecord[] = [];
  while (left.size > 0)
    for (const record of await subscription.take(1_000)) {
      const mark = markOf(record);
      if (mark === null) seen.push(record);
      else left.delete(mark);
    }
  await subscription.close();
  return seen;
}

/** Puts marks on every partition, behind all that lies there. Answers their names. */
export async function publishMarks(
  bus: Bus,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): Promise<Set<string>> {
  const marked = new Set<number>();
  const marks = new Set<string>();
  while (marked.size < partitions) {
    const names = Array.from({ length: 8 * partitions }, () => `${MARK}${crypto.randomUUID()}`);
    const records = names.map((name) => ({ topic, key: bytes(name), value: null, headers: [] }));
    for (const { partition } of await bus.publish(records)) marked.add(partition);
    for (const name of names) marks.add(name);
  }
  return marks;
}

/** The mark's name, or null where the record is none. */
export function markOf({ key }: Pick<IncomingRecord, "key">): string | null {
  const name = textOf(key) ?? "";
  return name.startsWith(MARK) ? name : null;
}

const MARK = "mark-";
