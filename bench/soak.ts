/**
 * `bun run soak`: the binding for long, on a real Kafka: does anything grow?
 *
 *   bun bench/soak.ts [--messages 10000000] [--reopened 100]
 *
 * Messages go in by one producer and out by a group of two, while a third member comes and goes and every connection is cut from
 * time to time; then clients are opened and closed. Out: a line a million with RSS, file descriptors and threads of this process,
 * and a verdict: descriptors and threads no more than after the first quarter of the openings, RSS at most a quarter above what it was
 * when all was warm. The connections of the proxy between are this process's too.
 */
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Admin, Consumer, openLibrary, Producer } from "../runtime/kafka/index.ts";
import { locateLibrary } from "../runtime/kafka/library/locate.ts";
import { cacheFolder } from "../runtime/provision/cache-folder.ts";
import { TcpProxy } from "../tests/faults/proxy.ts";
import { startKafka } from "../tests/services/kafka.ts";
import { freePort } from "../tests/services/port.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "10000000" },
    reopened: { type: "string", default: "100" },
  },
});
const MESSAGES = Number(values.messages);
const REOPENED = Number(values.reopened);
const TOPIC = "soak";
const PARTITIONS = 6;
const BATCH = 1_000;
const REPORT_EVERY = Math.min(1_000_000, MESSAGES / 5);
const MEMBER_EVERY = REPORT_EVERY / 2;
const RESET_EVERY = REPORT_EVERY;
/** Compilers are done and pools are full by then. */
const WARM_AT = 2 * REPORT_EVERY;
const MOST_GROWTH = 1.25;
const MOST_BEHIND = 200_000;
/** Sockets of the proxy that may be on their way out. A leak of one an opening would be some 75. */
const STILL_CLOSING = 8;

interface Handles {
  readonly rssMb: number;
  readonly descriptors: number;
  readonly threads: number;
}

/** After what JavaScript can free is freed. */
function handles(): Handles {
  Bun.gc(true);
  const status = readFileSync("/proc/self/status", "utf8");
  const number = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return {
    rssMb: Math.round(number("VmRSS") / 1_024),
    descriptors: readdirSync("/proc/self/fd").length,
    threads: number("Threads"),
  };
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const show = (what: string, { rssMb, descriptors, threads }: Handles) =>
  say(`${what.padEnd(34)} RSS ${rssMb} MB, ${descriptors} descriptors, ${threads} threads`);

const found = await locateLibrary({
  env: process.env,
  cacheDir: cacheFolder(process.env),
  production: false,
  report: say,
});
const library = openLibrary(found.path);
const [direct, behind, controller, front] = [freePort(), freePort(), freePort(), freePort()];
const at = (port: number) => `127.0.0.1:${port}`;
const proxy = await TcpProxy.listen({ port: front, target: behind });
const kafka = await startKafka({
  settings: {
    listeners: `PLAINTEXT://${at(direct)},PROXIED://${at(behind)},CONTROLLER://${at(controller)}`,
    "advertised.listeners": `PLAINTEXT://${at(direct)},PROXIED://${at(front)}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.quorum.voters": `1@${at(controller)}`,
    "log.segment.bytes": String(64 * 1024 * 1024),
    "log.retention.bytes": String(256 * 1024 * 1024),
    "log.retention.check.interval.ms": "5000",
  },
});
const config = { "bootstrap.servers": at(front) };

/** A member that counts what it takes and commits it. */
async function member(took: (records: number) => void) {
  const consumer = await Consumer.open({
    library,
    config,
    group: "soak",
    topics: [TOPIC],
    startAt: "earliest",
    drainMs: 1_000,
    assigned: () => undefined,
    revoked: () => Promise.resolve(),
    lost: () => undefined,
    troubled: () => undefined,
  });
  const loop = (async () => {
    for (;;) {
      const records = await consumer.take(BATCH);
      if (records.length === 0) return;
      took(records.length);
      const next = new Map(records.map(({ partition, offset }) => [partition, offset + 1]));
      const offsets = [...next].map(([partition, offset]) => ({ topic: TOPIC, partition, offset }));
      await consumer.commit(offsets).catch(() => undefined); // a rebalance or a cut; the next one says more
    }
  })();
  return {
    async close() {
      await consumer.close();
      await loop;
    },
  };
}

const admin = await Admin.open({ library, config: { "bootstrap.servers": at(direct) } });
await admin.createTopics([{ name: TOPIC, partitions: PARTITIONS }]);
const bare = handles();
show("nothing open but an admin", bare);

let taken = 0;
let awaited: { readonly count: number; resolve(): void } | null = null;
function counts(records: number): void {
  taken += records;
  if (awaited !== null && taken >= awaited.count) awaited.resolve();
}
/** Resolves once so many were taken. */
async function takenAtLeast(count: number): Promise<void> {
  if (taken >= count) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  awaited = { count, resolve };
  await promise;
  awaited = null;
}
const producer = await Producer.open({ library, config });
const members = await Promise.all([member(counts), member(counts)]);
const value = new Uint8Array(200);
let sent = 0;
let guest: { close(): Promise<void> } | null = null;
let warm: Handles | undefined;
const inFlight: Promise<unknown>[] = [];
while (sent < MESSAGES) {
  const records = Array.from({ length: BATCH }, () => ({ topic: TOPIC, key: null, value, headers: [] }));
  inFlight.push(producer.produce(records));
  sent += BATCH;
  // Nobody may fall behind: what is removed from the log before it is read would not be counted.
  await takenAtLeast(sent - MOST_BEHIND);
  if (inFlight.length > 20) await inFlight.shift();
  if (sent % MEMBER_EVERY === 0) {
    await guest?.close();
    guest = guest === null ? await member(counts) : null;
  }
  if (sent % RESET_EVERY === 0) proxy.reset();
  if (sent % REPORT_EVERY === 0) {
    const now = handles();
    if (sent >= WARM_AT) warm ??= now;
    show(`${sent} sent, ${taken} taken`, now);
  }
}
await Promise.all(inFlight);
await takenAtLeast(sent);
const loaded = handles();
show("all of them taken", loaded);
await guest?.close();
await Promise.all(members.map((one) => one.close()));
await producer.close();

let quarter: Handles | undefined;
for (let round = 1; round <= REOPENED; round++) {
  const opened = await Promise.all([Producer.open({ library, config }), member(() => undefined)]);
  await Promise.all(opened.map((one) => one.close()));
  if (round % Math.ceil(REOPENED / 4) === 0) {
    const now = handles();
    quarter ??= now;
    show(`opened and closed ${round} times`, now);
  }
}
const end = handles();
show("everything closed again", end);
admin.close();
await proxy.close();
await kafka.stop();

const before = (warm ?? loaded).rssMb;
const growth = Math.max(loaded.rssMb, end.rssMb) / before;
const early = quarter ?? end;
const flat =
  growth <= MOST_GROWTH &&
  end.descriptors <= early.descriptors + STILL_CLOSING &&
  end.threads <= early.threads;
say(
  JSON.stringify({
    name: "soak",
    messages: taken,
    rss_growth: Math.round(growth * 100) / 100,
    descriptors_more: end.descriptors - early.descriptors,
    threads_more: end.threads - early.threads,
    pass: flat,
  }),
);
process.exit(flat ? 0 : 1);
