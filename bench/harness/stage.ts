/**
 * What a benchmark stands on: a real Kafka of its own, librdkafka, the compiled C programs, topics.
 *
 * In: options of the command. Out: a stage; closing it ends all that it started. Never here: what is compared.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Admin,
  CONSUMER_DEFAULTS,
  locateLibrary,
  openLibrary,
  PRODUCER_DEFAULTS,
} from "../../runtime/kafka/index.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { startKafka } from "../../tests/services/kafka.ts";
import { startPostgres } from "../../tests/services/postgres.ts";
import { compileReference, PROGRAMS, type Reference } from "../reference/compile.ts";
import { endChildren, runChild } from "./child.ts";

export interface StageOptions {
  /** A broker that runs already; default: one of the benchmark's own. */
  readonly brokers: string | undefined;
  /** Few pairs and short windows, to try things. */
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** A topic that holds the messages 0 to `messages` - 1 of reference/fill.c. */
export interface Filled {
  readonly topic: string;
  readonly messages: number;
  /** Bytes of a value. */
  readonly bytes: number;
}

export interface Filling {
  readonly messages: number;
  readonly bytes: number;
  readonly headers: 0 | 4 | 7;
  /** Different keys; 0, the default, gives each message its own. */
  readonly keys?: number;
}

export interface Stage {
  readonly brokers: string;
  /** Path of librdkafka; processes under test get it as CAUCE_LIBRDKAFKA. */
  readonly library: string;
  /** Of what it is measured with: Bun, librdkafka. */
  readonly versions: string;
  readonly quick: boolean;
  readonly pairs: number;
  /** For what differs by a third and more from one window to the next, on the reference's side too. */
  readonly morePairs: number;
  readonly reference: Reference;
  readonly say: (line: string) => void;
  newTopic(partitions: number): Promise<string>;
  dropTopics(...topics: readonly string[]): Promise<void>;
  /** Makes a topic with the messages 0 to `messages` - 1. */
  fillTopic(work: Filling & { readonly partitions?: number }): Promise<Filled>;
  /** Puts them onto a topic that is there. */
  fillInto(topic: string, work: Filling): Promise<void>;
  /** The address of an empty database on a real Postgres. */
  newDatabase(): Promise<string>;
  close(): Promise<void>;
}

const PAIRS = 7;
const KNOWN_EVERY_MS = 20;
const QUICK_PAIRS = 3;
export const PARTITIONS = 4;

/** Throughput, not durability, is looked at: room for whole runs, and deleted topics give theirs back at once. */
const BROKER_SETTINGS = {
  "log.segment.bytes": String(256 * 1024 * 1024),
  "log.retention.ms": "-1",
  "file.delete.delay.ms": "1000",
  "message.max.bytes": String(4 * 1024 * 1024),
};

export async function openStage({ brokers, quick, say }: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "cauce-bench-"));
  const found = await locateLibrary({
    env: process.env,
    cacheDir: cacheFolder(process.env),
    production: false,
    report: say,
  });
  const reference = await compileReference(PROGRAMS, found.path, folder);
  const kafka =
    brokers === undefined ? await startKafka({ settings: BROKER_SETTINGS, report: say }) : undefined;
  const address = brokers ?? kafka?.brokers ?? "";
  const admin = await Admin.open({
    library: openLibrary(found.path),
    config: { "bootstrap.servers": address },
  });
  let postgres: ReturnType<typeof startPostgres> | undefined;
  let topics = 0;
  const stage: Stage = {
    brokers: address,
    library: found.path,
    versions: `Bun ${Bun.version}, librdkafka ${found.version}, ${kafka === undefined ? `a broker at ${address}` : `Apache Kafka ${kafkaVersion()} on one node`}`,
    quick,
    pairs: quick ? QUICK_PAIRS : PAIRS,
    morePairs: quick ? QUICK_PAIRS : 2 * PAIRS,
    reference,
    say,
    async newTopic(partitions) {
      const name = `bench-${process.pid}-${++topics}`;
      const [answer] = await admin.createTopics([{ name, partitions }]);
      if (answer?.err !== 0) throw new Error(`no topic ${name}: ${answer?.detail}`);
      // The controller answers before the broker knows. A consumer that subscribes in between looks again after minutes.
      // Brokers tell nobody when they know a topic.
      while ((await admin.describeTopics([name]))[0]?.err !== 0) await Bun.sleep(KNOWN_EVERY_MS);
      return name;
    },
    async dropTopics(...names) {
      await admin.deleteTopics(names);
    },
    async fillTopic({ partitions = PARTITIONS, ...work }) {
      const topic = await stage.newTopic(partitions);
      const startMs = performance.now();
      await stage.fillInto(topic, work);
      const took = seconds(performance.now() - startMs);
      say(`${work.messages} messages of ${work.bytes} bytes lie on ${topic} after ${took}`);
      return { topic, messages: work.messages, bytes: work.bytes };
    },
    async fillInto(topic, { messages, bytes, headers, keys = 0 }) {
      const properties = propertiesOf(PRODUCER_DEFAULTS);
      await runChild(reference.command("fill", address, topic, messages, bytes, headers, keys, properties));
    },
    async newDatabase() {
      postgres ??= startPostgres({ settings: POSTGRES_SETTINGS });
      return (await postgres).createDatabase("bench");
    },
    async close() {
      endChildren();
      admin.close();
      await Promise.all([kafka?.stop(), postgres?.then((server) => server.stop())]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return stage;
}

/** As one would run it for the schedule: what is committed is on the disk, and memory and log fit ten million rows. */
export const POSTGRES_SETTINGS = `
fsync = on
shared_buffers = 1GB
max_wal_size = 8GB
`;

/**
 * The binding's own properties for the C programs, so that both sides run with the same ones; statistics cost the binding
 * something that C does not pay.
 */
export function propertiesOf(config: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(config)
    .filter(([name]) => name !== "statistics.interval.ms")
    .map(([name, value]) => `${name}=${String(value)}`)
    .join("\n");
}

/** Properties of a C consumer that stores offsets after the delivery report and lets librdkafka commit them. */
export function consumerProperties(): string {
  return propertiesOf({
    ...CONSUMER_DEFAULTS,
    // With the cooperative protocol and no rebalance callback, librdkafka 2.16 ends without a word to the group.
    "partition.assignment.strategy": "range",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": true,
    "auto.commit.interval.ms": COMMIT_EVERY_MS,
  });
}

/** As the engine does, and so everybody. */
export const COMMIT_EVERY_MS = 250;

/** As the tests' broker is fetched. */
function kafkaVersion(): string {
  const pom = readFileSync(join(import.meta.dir, "..", "..", "tests", "services", "kafka-pom.xml"), "utf8");
  return (
    /<artifactId>kafka_[\d.]+<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1] ?? "of an unknown version"
  );
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
