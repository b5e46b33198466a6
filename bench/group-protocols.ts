/**
 * How long do partitions stand still when a member of a group joins, leaves, is killed or restarts?
 *
 *   bun bench/group-protocols.ts [--brokers host:port]
 *
 * In: a broker with Kafka's own default settings (started here where none is given). Every 50 ms one record goes to each
 * of four partitions; two members, each a process of its own, say when each offset came. Out: per protocol, with and
 * without static membership, the longest gap between two records of any partition, and of those that did not move.
 */
import { parseArgs } from "node:util";
import { partitionOf } from "../runtime/bus/murmur2.ts";
import {
  Admin,
  Consumer,
  type Library,
  locateLibrary,
  openLibrary,
  Producer,
} from "../runtime/kafka/index.ts";
import { cacheFolder } from "../runtime/provision/cache-folder.ts";
import { startKafka } from "../tests/services/kafka.ts";

const PARTITIONS = [0, 1, 2, 3];
const EVERY_MS = 50;
/** How long a supervisor waits before it starts a member again: part of the gap that is measured. */
const SUPERVISOR_WAITS_MS = 500;
/** Watched after the group has settled, so that a gap which settling itself leaves behind is seen too. */
const TAIL_MS = 1_000;
const GIVE_UP_MS = 90_000;

/** What Apache Kafka 4.3 does when nothing is set, where the test broker is set otherwise. */
const KAFKA_DEFAULTS = {
  "group.consumer.min.heartbeat.interval.ms": "5000",
  "group.consumer.heartbeat.interval.ms": "5000",
  "group.consumer.min.session.timeout.ms": "45000",
  "group.consumer.session.timeout.ms": "45000",
  "group.min.session.timeout.ms": "6000",
  "group.initial.rebalance.delay.ms": "3000",
};

interface MemberOptions {
  readonly brokers: string;
  readonly topic: string;
  readonly protocol: "classic" | "consumer";
  readonly instance?: string;
}

const { values } = parseArgs({
  options: { brokers: { type: "string" }, member: { type: "string" } },
});
const found = await locateLibrary({
  env: process.env,
  cacheDir: cacheFolder(process.env),
  production: false,
  report: () => undefined,
});
const librdkafka = openLibrary(found.path);
if (values.member === undefined) await measureAll(librdkafka, values.brokers);
else await beMember(librdkafka, JSON.parse(values.member) as MemberOptions);

/** One member: a line `partition offset time` for each record, `own <partitions>` for each change. */
async function beMember(
  library: Library,
  { brokers, topic, protocol, instance }: MemberOptions,
): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const own = () => say(`own ${consumer.partitions.map(({ partition }) => partition).join(",")}`);
  const consumer: Consumer = await Consumer.open({
    library,
    config: { "bootstrap.servers": brokers },
    group: topic,
    topics: [topic],
    startAt: "latest",
    drainMs: 1_000,
    groupProtocol: protocol,
    ...(instance === undefined ? {} : { groupInstanceId: instance }),
    assigned: () => queueMicrotask(own),
    revoked: () => Promise.resolve(void setTimeout(own, 0)),
    lost: () => setTimeout(own, 0),
    troubled: ({ message }) => process.stderr.write(`${message}\n`),
    onEvent: (event) => {
      if (event.kind === "error" && event.fatal) process.exit(3);
    },
  });
  process.on("SIGTERM", () => void consumer.close());
  for (;;) {
    const records = await consumer.take(1_000);
    if (records.length === 0) break;
    const now = Date.now();
    for (const { partition, offset } of records) say(`${partition} ${offset} ${now}`);
    const next = new Map(records.map(({ partition, offset }) => [partition, offset + 1]));
    const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset }));
    // Beside the reading, as the engine commits: an acknowledgement may take as long as a rebalance.
    void consumer.commit(offsets).catch(() => undefined);
  }
}

class Member {
  readonly owns = new Set<number>();
  readonly lastMs = new Map<number, number>();
  readonly #child;
  readonly exited: Promise<number>;

  constructor(options: MemberOptions, saw: (partition: number, offset: number, ms: number) => void) {
    this.#child = Bun.spawn([process.execPath, import.meta.path, "--member", JSON.stringify(options)], {
      stdout: "pipe",
      stderr: "ignore",
    });
    this.exited = this.#child.exited;
    void this.#read(saw);
  }

  end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    this.#child.kill(signal);
    return this.exited;
  }

  async #read(saw: (partition: number, offset: number, ms: number) => void): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [first = "", second = "", third] = line.split(" ");
        if (first === "own") {
          this.owns.clear();
          for (const partition of second.split(",").filter(Boolean)) this.owns.add(Number(partition));
        } else {
          this.lastMs.set(Number(first), Number(third));
          saw(Number(first), Number(second), Number(third));
        }
      }
    }
  }
}

interface Gap {
  readonly event: string;
  readonly anyMs: number;
  readonly unmovedMs: number;
}

async function measureAll(library: Library, given: string | undefined): Promise<void> {
  const kafka = given === undefined ? await startKafka({ settings: KAFKA_DEFAULTS }) : undefined;
  const brokers = given ?? kafka?.brokers ?? "";
  const kinds = [
    { protocol: "classic", fixed: false },
    { protocol: "classic", fixed: true },
    { protocol: "consumer", fixed: false },
    { protocol: "consumer", fixed: true },
  ] as const;
  const say = (line: string) => process.stdout.write(`${line}\n`);
  try {
    const rows = await Promise.all(
      kinds.map(async (kind) => ({ kind, gaps: await measure(library, brokers, kind) })),
    );
    const events = rows[0]?.gaps.map(({ event }) => event) ?? [];
    say(`| longest gap in s, any partition (unmoved ones) | ${events.join(" | ")} |`);
    say(`| --- | ${events.map(() => "---").join(" | ")} |`);
    for (const { kind, gaps } of rows) {
      const cells = gaps.map(({ anyMs, unmovedMs }) => `${seconds(anyMs)} (${seconds(unmovedMs)})`);
      say(`| ${kind.protocol}${kind.fixed ? ", static" : ""} | ${cells.join(" | ")} |`);
    }
  } finally {
    await kafka?.stop();
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

async function measure(
  library: Library,
  brokers: string,
  { protocol, fixed }: { protocol: "classic" | "consumer"; fixed: boolean },
): Promise<Gap[]> {
  const topic = `bench-${crypto.randomUUID()}`;
  const config = { "bootstrap.servers": brokers };
  const admin = await Admin.open({ library, config });
  await admin.createTopics([{ name: topic, partitions: PARTITIONS.length }]);
  admin.close();
  const producer = await Producer.open({ library, config });
  const keys = PARTITIONS.map((partition) => {
    for (let at = 0; ; at++) {
      const key = new TextEncoder().encode(String(at));
      if (partitionOf(key, PARTITIONS.length) === partition) return key;
    }
  });
  const feed = setInterval(() => {
    const records = keys.map((key) => ({ topic, key, value: new Uint8Array(100), headers: [] }));
    void producer.produce(records).catch(() => undefined);
  }, EVERY_MS);

  /** When each offset was first seen, by partition. */
  const seen = new Map(PARTITIONS.map((partition) => [partition, new Map<number, number>()]));
  const saw = (partition: number, offset: number, ms: number) => {
    const times = seen.get(partition);
    if (times && !times.has(offset)) times.set(offset, ms);
  };
  const start = (name: string) =>
    new Member({ brokers, topic, protocol, ...(fixed ? { instance: name } : {}) }, saw);
  /** Starts a member as a supervisor would: again when it gives up. */
  let second: Member;
  const startSecond = () => {
    const member = start("second");
    second = member;
    void member.exited.then(async (code) => {
      if (code !== 3) return;
      await Bun.sleep(SUPERVISOR_WAITS_MS); // as a supervisor does: part of what is measured
      if (second === member) startSecond();
    });
  };
  const gaps: Gap[] = [];
  const during = async (event: string, act: () => Promise<unknown>, settled: (fromMs: number) => boolean) => {
    const fromMs = Date.now();
    const before = new Set(first.owns);
    await act();
    const actedMs = Date.now();
    await until(() => settled(actedMs) || Date.now() - actedMs > GIVE_UP_MS);
    await Bun.sleep(TAIL_MS); // a gap may begin after all is settled: what comes then is watched too
    const unmoved = PARTITIONS.filter((partition) => before.has(partition) && first.owns.has(partition));
    const longest = (partitions: readonly number[]) =>
      Math.max(0, ...partitions.map((partition) => longestGap(seen.get(partition) ?? new Map(), fromMs)));
    gaps.push({ event, anyMs: longest(PARTITIONS), unmovedMs: longest(unmoved) });
  };
  const flows = (member: Member, partitions: Iterable<number>, fromMs: number) =>
    [...partitions].every((partition) => (member.lastMs.get(partition) ?? 0) > fromMs + 500);
  const both = (fromMs: number) =>
    first.owns.size === 2 &&
    second.owns.size === 2 &&
    flows(first, first.owns, fromMs) &&
    flows(second, second.owns, fromMs);
  const alone = (fromMs: number) => first.owns.size === PARTITIONS.length && flows(first, PARTITIONS, fromMs);

  const first = start("first");
  await until(() => alone(0));
  await during("join", async () => startSecond(), both);
  await during("leave", () => second.end("SIGTERM"), alone);
  await during("join again", async () => startSecond(), both);
  await during(
    "restart",
    async () => {
      await second.end("SIGTERM");
      startSecond();
    },
    both,
  );
  await during(
    "kill -9, restart",
    async () => {
      await second.end("SIGKILL");
      startSecond();
    },
    both,
  );
  await during("kill -9", () => second.end("SIGKILL"), alone);
  clearInterval(feed);
  await first.end("SIGTERM");
  await producer.close();
  return gaps;
}

/** The longest time in ms without a record since `fromMs`. */
function longestGap(times: ReadonlyMap<number, number>, fromMs: number): number {
  const sorted = [...times.values()].filter((ms) => ms >= fromMs - 500).toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.slice(1).map((ms, at) => ms - (sorted[at] ?? ms)));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(20); // it is read off what members have said, and nobody says that it holds
}
