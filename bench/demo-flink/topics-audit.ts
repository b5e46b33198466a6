/**
 * What a reader of committed records finds on the topics at the end: every question ends there once.
 *
 * In: a bus, the ids that were asked. Out: ends by question, and dead letters. A result that is stored once may still lie on its
 * topic twice; here that is seen. Never here: the database.
 */
import type { Bus, IncomingRecord } from "../../runtime/bus/bus.ts";
import { failed, generated, validated } from "../../schema/topics.ts";
import { wholeTopic } from "../../tests/bus/whole-topic.ts";

export interface TopicsAudit {
  readonly ended: number;
  /** Ids with two ends or more. */
  readonly twice: readonly string[];
  /** Ids without one. */
  readonly missing: readonly string[];
  /** Reasons of dead letters of the scoring stage. */
  readonly letters: readonly string[];
}

export async function auditTopics(bus: Bus, asked: readonly string[]): Promise<TopicsAudit> {
  const ends = new Map<string, number>();
  for (const { name } of [validated, failed])
    for (const record of await readAll(bus, name)) {
      const { id } = JSON.parse(textOf(record.value)) as { readonly id: string };
      ends.set(id, (ends.get(id) ?? 0) + 1);
    }
  const letters = await readAll(bus, `${generated.name}.dlq`);
  return {
    ended: ends.size,
    twice: [...ends].flatMap(([id, times]) => (times > 1 ? [id] : [])),
    missing: asked.filter((id) => !ends.has(id)),
    letters: letters.map(reasonOf),
  };
}

/** Whoever was there first has made the topic: how many partitions it has is asked. */
async function readAll(bus: Bus, topic: string): Promise<readonly IncomingRecord[]> {
  const [report] = await bus.ensureTopics([{ name: topic, partitions: 1, provision: "verify" }]);
  return await wholeTopic(bus, { topic, partitions: report?.partitions ?? 1 });
}

function reasonOf({ headers }: IncomingRecord): string {
  return textOf(headers.find(([name]) => name === "cauce_error")?.[1] ?? null);
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "" : new TextDecoder().decode(bytes);
}
