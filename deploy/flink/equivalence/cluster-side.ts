/**
 * Recorded messages through the real job on a real cluster: published, scored, and read back as a reader of committed records.
 *
 * In: a cluster, a broker of its own, records, the job's settings. Out: each record as it lay on its topic, and everything that the
 * job published. Never here: what should have come of them.
 */
import application from "../../../handlers/shared/app.ts";
import scoring from "../../../handlers/llm.generated.ts";
import { createKafkaBus } from "../../../runtime/bus/kafka.ts";
import type { Bus, IncomingRecord } from "../../../runtime/bus/bus.ts";
import { namesFor } from "../../../runtime/engine/names.ts";
import { errors, generated, requests, validated } from "../../../schema/topics.ts";
import { join } from "../../../tests/bus/owner.ts";
import { wholeTopic } from "../../../tests/bus/whole-topic.ts";
import { testLibrary } from "../../../tests/kafka/library.ts";
import { startKafka } from "../../../tests/services/kafka.ts";
import type { FlinkCluster } from "../cluster.ts";
import { NOW_MS } from "./recordings.ts";

export interface ClusterSide {
  readonly inputs: readonly IncomingRecord[];
  readonly outputs: readonly IncomingRecord[];
}

export interface ClusterRun {
  readonly cluster: FlinkCluster;
  readonly records: readonly IncomingRecord[];
  readonly settings: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

export const PARTITIONS = generated.partitions;
const { retryTopic, deadLetterTopic } = namesFor(application.name, scoring);
const INPUTS = [generated.name, retryTopic];
const OUTPUTS = [validated.name, requests.name, errors.name, deadLetterTopic];
const WITHIN_MS = 180_000;
/** Of what the cluster wrote, in characters, when it fails. */
const LONGEST_REASON = 8_000;

/** @throws Error with the job's state when not every record has come out in time. */
export async function throughCluster({ cluster, records, settings, say }: ClusterRun): Promise<ClusterSide> {
  const kafka = await startKafka({ report: say });
  const { brokers } = kafka;
  const bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: "equivalence" });
  let job = "";
  try {
    const plans = [...INPUTS, ...OUTPUTS].map((name) => ({
      name,
      partitions: PARTITIONS,
      provision: "create" as const,
    }));
    await bus.ensureTopics(plans);
    await bus.publish(records);
    const inputs = await take(bus, INPUTS, records.length, () => Promise.resolve(""));
    job = await cluster.submit({ KAFKA_BROKERS: brokers, SCORING_NOW_MS: String(NOW_MS), ...settings });
    await take(
      bus,
      OUTPUTS,
      records.length,
      async () => `${JSON.stringify(await cluster.job(job))}\n${cluster.output().slice(-LONGEST_REASON)}`,
    );
    const outputs: IncomingRecord[] = [];
    for (const topic of OUTPUTS) outputs.push(...(await wholeTopic(bus, { topic, partitions: PARTITIONS })));
    return { inputs, outputs };
  } finally {
    if (job !== "") await cluster.cancel(job);
    await bus.close(0);
    await kafka.stop();
  }
}

/** Reads until so many records have come, over all the topics together. */
async function take(
  bus: Bus,
  topics: readonly string[],
  count: number,
  why: () => Promise<string>,
): Promise<readonly IncomingRecord[]> {
  const { subscription } = await join(bus, {
    group: `equivalence-${crypto.randomUUID()}`,
    topics: [...topics],
  });
  const records: IncomingRecord[] = [];
  const late = setTimeout(() => void subscription.close(), WITHIN_MS);
  try {
    while (records.length < count) {
      const some = await subscription.take(1_000);
      if (some.length === 0)
        throw new Error(
          `${records.length} of ${count} records came in ${WITHIN_MS / 1_000} s: ${await why()}`,
        );
      records.push(...some);
    }
    return records;
  } finally {
    clearTimeout(late);
    await subscription.close();
  }
}
