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
  const mark = `mark-${crypto.randomUUID()}`;
  const marked = new Set<number>();
  let marks = 0;
  while (marked.size < partitions) {
    const keys = Array.from({ length: 8 * partitions }, (_, at) => `${mark}/${marks + at}`);
    const records = keys.map((key) => ({ topic, key: bytes(key), value: null, headers: [] }));
    for (const { partition } of await bus.publish(records)) marked.add(partition);
    marks += keys.length;
  }
  const { subscription } = await join(bus, { group: mark, topics: [topic] });
  const seen: IncomingRecord[] = [];
  for (let left = marks; left > 0;)
    for (const record of await subscription.take(1_000)) {
      const key = textOf(record.key) ?? "";
      if (key.startsWith(`${mark}/`)) left--;
      else if (!key.startsWith("mark-")) seen.push(record);
    }
  await subscription.close();
  return seen;
}
