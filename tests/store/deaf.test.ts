/** A LISTEN that says yes and delivers nothing, and one whose connection is dead without anybody's notice: found out, said, bridged. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { silentLog, type Log } from "../../runtime/ground/log.ts";
import { startScheduler, type Scheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { type Pooler, startPooler } from "../services/pgbouncer.ts";
import { createDatabase } from "../services/postgres.ts";
import { deafFront, type DeafFront } from "./deaf-front.ts";
import { watchSleep } from "./asleep.ts";
import { message } from "./messages.ts";

const HOUR_MS = 3_600_000;
/** As the real ones, a hundred times as fast. */
const QUICK = { probeEveryMs: 300, probeTimeoutMs: 100, deafRecheckMs: 20 };
/** For a way that delivers: a busy machine may take its time, and nobody looks meanwhile. */
const PATIENT = { probeEveryMs: 300, probeTimeoutMs: 2_000, deafRecheckMs: HOUR_MS };

let url: string;
let apps = 0;
beforeAll(async () => {
  url = await createDatabase("store_deaf");
});

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function given() {
  const lines: string[] = [];
  const waiting: { readonly word: string; readonly resolve: () => void }[] = [];
  const say = (event: string) => {
    lines.push(event);
    for (const { word, resolve } of waiting) if (event.includes(word)) resolve();
  };
  const log: Log = { ...silentLog, info: say, warn: say };
  const said = (word: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ word, resolve });
    if (lines.some((line) => line.includes(word))) resolve();
    return promise;
  };
  return { app: `deaf ${++apps}`, log, lines, said };
}

/** A scheduler that by itself would look again in an hour: resolves when it has published a message and sleeps again. */
async function sleepingScheduler(store: PostgresStore) {
  closers.push(() => store.close());
  const { store: watched, asleep } = watchSleep(store);
  const waiting = new Map<string, () => void>();
  const scheduler: Scheduler = startScheduler({
    store: watched,
    topics: ["t"],
    recheckMs: HOUR_MS,
    async publish(records: readonly OutgoingRecord[]) {
      for (const { value } of records) {
        const { id }: { id: string } = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array()));
        waiting.get(id)?.();
      }
    },
  });
  closers.push(() => scheduler.stop());
  /** Call it before the message is written. */
  return (id: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(id, () => void asleep().then(resolve));
    return promise;
  };
}

async function elsewhere(app: string): Promise<PostgresStore> {
  const other = await createPostgresStore({ url, app });
  closers.push(() => other.close());
  return other;
}

async function front(): Promise<DeafFront> {
  const made = await deafFront(url);
  closers.push(() => made.close());
  return made;
}

test("a store behind a way that swallows notifications says so once, and finds what others write by looking", async () => {
  const { app, log, lines, said } = given();
  const deaf = await front();
  const published = await sleepingScheduler(
    await createPostgresStore({ url: deaf.url, app, log, limits: QUICK }),
  );
  const other = await elsewhere(app);
  await said("LISTEN delivers nothing");
  for (const messageId of ["a", "b", "c"]) {
    await Promise.all([published(messageId), other.schedule([message({ messageId })])]);
  }
  expect(lines.filter((line) => line.includes("LISTEN"))).toEqual([
    expect.stringContaining("give a direct address too"),
  ]);
  deaf.hear(true);
  await said("arrive again");
  await Promise.all([published("d"), other.schedule([message({ messageId: "d" })])]);
});

test("with a direct address beside it, it hears and says nothing", async () => {
  const { app, log, lines } = given();
  const deaf = await front();
  const published = await sleepingScheduler(
    await createPostgresStore({ url: deaf.url, directUrl: url, app, log, limits: PATIENT }),
  );
  const other = await elsewhere(app);
  for (const messageId of ["a", "b", "c"]) {
    await Promise.all([published(messageId), other.schedule([message({ messageId })])]);
  }
  expect(lines.filter((line) => line.includes("LISTEN"))).toEqual([]);
});

test("a connection that died without anybody's notice is found out by the next probe, and another one hears what was missed", async () => {
  const { app, log, lines } = given();
  const way = await front();
  way.hear(true);
  const store = await createPostgresStore({ url, directUrl: way.url, app, log, limits: PATIENT });
  const published = await sleepingScheduler(store);
  const other = await elsewhere(app);
  await Promise.all([published("before"), other.schedule([message({ messageId: "before" })])]);
  const before = way.opened;
  way.freeze();
  await Promise.all([published("missed"), other.schedule([message({ messageId: "missed" })])]);
  expect(way.opened).toBe(before + 1);
  // The new one works, so there is nothing to complain of.
  expect(lines.filter((line) => line.includes("LISTEN"))).toEqual([]);
  await Promise.all([published("after"), other.schedule([message({ messageId: "after" })])]);
});

/** PgBouncer may have to be installed. */
const INSTALLED_WITHIN_MS = 180_000;

describe("behind PgBouncer in transaction mode", () => {
  let pooler: Pooler;
  beforeAll(async () => {
    pooler = await startPooler(url);
  }, INSTALLED_WITHIN_MS);
  afterAll(() => pooler?.stop());

  test(`LISTEN is found to deliver nothing, and four schedulers publish each row once`, async () => {
    const { app, log, said } = given();
    const stores = await Promise.all(
      Array.from({ length: 4 }, () =>
        createPostgresStore({ url: pooler.url(url), app, log, poolSize: 2, limits: QUICK }),
      ),
    );
    const times = new Map<string, number>();
    const all = Promise.withResolvers<void>();
    for (const store of stores) {
      closers.push(() => store.close());
      const scheduler = startScheduler({
        store,
        topics: ["t"],
        batch: 20,
        recheckMs: HOUR_MS,
        async publish(records) {
          for (const { value } of records) {
            const id = new TextDecoder().decode(value ?? new Uint8Array());
            times.set(id, (times.get(id) ?? 0) + 1);
          }
          if (times.size === 500) all.resolve();
        },
      });
      closers.push(() => scheduler.stop());
    }
    await said("LISTEN delivers nothing");
    const other = await elsewhere(app);
    await other.schedule(
      Array.from({ length: 500 }, (_, n) => message({ messageId: `m${n}`, delayMs: n % 200 })),
    );
    await all.promise;
    expect(Math.max(...times.values())).toBe(1);
  }, 20_000);

  test(`with a direct address an earlier row is heard of`, async () => {
    const { app, log, lines } = given();
    const published = await sleepingScheduler(
      await createPostgresStore({ url: pooler.url(url), directUrl: url, app, log, limits: PATIENT }),
    );
    const other = await elsewhere(app);
    for (const messageId of ["a", "b", "c"]) {
      await Promise.all([published(messageId), other.schedule([message({ messageId })])]);
    }
    expect(lines.filter((line) => line.includes("LISTEN"))).toEqual([]);
  });
});
