/**
 * What every form of the bus must do, as tests. Written against bus.ts alone.
 *
 * In: a name and a way to open buses on one broker. Out: a `describe` block.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Bus, OutgoingRecord } from "../../runtime/bus/bus.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { after, bytes, join, nameOf, type Owner, takeCount, textOf } from "./owner.ts";

/** A broker and a way to open buses on it; several may be open at once, as in several processes. */
export interface BusPlace {
  open(): Promise<Bus>;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 60_000;

/** `takesBack`: does the broker hide what a transaction took back? The mock cluster does not. */
export function busContract(
  name: string,
  start: () => Promise<BusPlace>,
  { takesBack = true }: { readonly takesBack?: boolean } = {},
): void {
  describe(`the bus contract: ${name}`, () => {
    let place: BusPlace;
    const buses: Bus[] = [];

    beforeAll(async () => {
      place = await start();
    }, 180_000);
    afterEach(async () => {
      await Promise.all(buses.splice(0).map((bus) => bus.close()));
    }, TIMEOUT_MS);
    afterAll(async () => {
      await place.stop();
    }, TIMEOUT_MS);

    const open = async (): Promise<Bus> => {
      const bus = await place.open();
      buses.push(bus);
      return bus;
    };
    /** A bus with a new topic on it. */
    const withTopic = async (partitions: number) => {
      const bus = await open();
      const topic = `t-${crypto.randomUUID()}`;
      await bus.ensureTopics([{ name: topic, partitions, provision: "create" }]);
      return { bus, topic, group: `g-${topic}` };
    };
    const check = (title: string, body: () => Promise<void>): void => test(title, body, TIMEOUT_MS);

    check("brings key, value and headers through unchanged, empty, null and repeated ones too", async () => {
      const { bus, topic, group } = await withTopic(1);
      const anyBytes = Uint8Array.from({ length: 256 }, (_, at) => at);
      const sent: OutgoingRecord[] = [
        { topic, key: bytes("k"), value: anyBytes, headers: [["a", bytes("1")], ["a", bytes("2")], ["ñ", null]] }, // prettier-ignore
        { topic, key: bytes("k"), value: null, headers: [["empty", new Uint8Array()]] },
        { topic, key: new Uint8Array(), value: new Uint8Array(), headers: [] },
        { topic, key: null, value: bytes("no key"), headers: [] },
      ];
      await bus.publish(sent);
      const { subscription } = await join(bus, { group, topics: [topic] });
      const got = await takeCount(subscription, sent.length);
      expect(
        got.map(({ key, value, headers }) => ({
          key: list(key),
          value: list(value),
          headers: headers.map(pair),
        })),
      ).toEqual(
        sent.map(({ key, value, headers }) => ({
          key: list(key),
          value: list(value),
          headers: headers.map(pair),
        })),
      );
      expect(got.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
      expect(got.every(({ timestampMs }) => Math.abs(timestampMs - Date.now()) < 3_600_000)).toBe(true);
    });

    check(
      "answers the position of every record in the order given, and each lies where it said",
      async () => {
        const { bus, topic, group } = await withTopic(3);
        const sent = numbered(topic, 300);
        const positions = await bus.publish(sent);
        expect(positions.length).toBe(300);
        const { subscription } = await join(bus, { group, topics: [topic] });
        const got = await takeCount(subscription, 300);
        const at = new Map(got.map((record) => [`${nameOf(record)}@${record.offset}`, textOf(record.value)]));
        expect([...positions].map((position) => at.get(`${nameOf(position)}@${position.offset}`))).toEqual(
          sent.map((record) => textOf(record.value)),
        );
      },
    );

    check(
      "puts one key on one partition and keeps its order, over many calls that nobody awaited",
      async () => {
        const { bus, topic, group } = await withTopic(4);
        const calls = Array.from({ length: 40 }, (_, call) => bus.publish(numbered(topic, 25, call * 25)));
        await Promise.all(calls);
        const { subscription } = await join(bus, { group, topics: [topic] });
        const byKey = Map.groupBy(await takeCount(subscription, 1_000), (record) => textOf(record.key));
        expect(byKey.size).toBe(10);
        for (const records of byKey.values()) {
          expect(new Set(records.map(({ partition }) => partition)).size).toBe(1);
          const numbers = records.map((record) => Number(textOf(record.value)));
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
          expect(records.map(({ offset }) => offset)).toEqual(
            records.map(({ offset }) => offset).toSorted((a, b) => a - b),
          );
        }
      },
    );

    check("publishing nothing resolves to nothing", async () => {
      const { bus } = await withTopic(1);
      expect(await bus.publish([])).toEqual([]);
    });

    check(
      "makes missing topics, reports the partitions of those that are there, and verifies without making",
      async () => {
        const bus = await open();
        const [first, second] = [`t-${crypto.randomUUID()}`, `t-${crypto.randomUUID()}`];
        const made = await bus.ensureTopics([{ name: first, partitions: 3, provision: "create" }]);
        expect(made).toMatchObject([{ name: first, state: "created", partitions: 3 }]);
        const looked = await bus.ensureTopics([
          { name: first, partitions: 7, provision: "create" },
          { name: first, partitions: 3, provision: "verify" },
          { name: second, partitions: 1, provision: "verify" },
          { name: `t-${crypto.randomUUID()}`, partitions: 1, provision: "none" },
        ]);
        expect(looked.map(({ state }) => state)).toEqual(["present", "present", "missing", "unchecked"]);
        expect(looked[0]?.partitions).toBe(3);
        expect(looked[2]?.detail).toBeString();
      },
    );

    check("hands out at most as many records as asked for", async () => {
      const { bus, topic, group } = await withTopic(2);
      await bus.publish(numbered(topic, 50));
      const { subscription } = await join(bus, { group, topics: [topic] });
      let taken = 0;
      while (taken < 50) {
        const records = await subscription.take(7);
        expect(records.length).toBeWithin(1, 8);
        taken += records.length;
      }
      expect(taken).toBe(50);
    });

    check("waits for the first record", async () => {
      const { bus, topic, group } = await withTopic(1);
      const { subscription } = await join(bus, { group, topics: [topic] });
      const waiting = subscription.take(10);
      await bus.publish(numbered(topic, 1));
      expect((await waiting).map(({ value }) => textOf(value))).toEqual(["0"]);
    });

    check("a closed subscription hands out nothing, to the call that waits and to later ones", async () => {
      const { bus, topic, group } = await withTopic(1);
      const { subscription } = await join(bus, { group, topics: [topic] });
      const waiting = subscription.take(10);
      await subscription.close();
      await subscription.close();
      expect(await waiting).toEqual([]);
      expect(await subscription.take(10)).toEqual([]);
      expect(subscription.ready).toBe(false);
    });

    check("goes on at the committed offset after a restart, and repeats what was not committed", async () => {
      const { bus, topic, group } = await withTopic(1);
      await bus.publish(numbered(topic, 10));
      const first = await join(bus, { group, topics: [topic] });
      const taken = await takeCount(first.subscription, 7);
      await first.subscription.commit(after(taken.slice(0, 4)));
      await first.subscription.close();
      const second = await join(bus, { group, topics: [topic] });
      expect((await takeCount(second.subscription, 6)).map(({ offset }) => offset)).toEqual([
        4, 5, 6, 7, 8, 9,
      ]);
    });

    check(
      "keeps a text beside a committed offset and hands both to the next owner before any record",
      async () => {
        const { bus, topic, group } = await withTopic(2);
        await bus.publish(numbered(topic, 20));
        const first = await join(bus, { group, topics: [topic] });
        const fresh = [...first.owner.owned.values()];
        expect(fresh.every(({ committed, metadata }) => committed === undefined && metadata === undefined)).toBe(true); // prettier-ignore
        const offsets = [
          { topic, partition: 0, offset: 3, metadata: "m".repeat(4_096) },
          { topic, partition: 1, offset: 2 },
        ];
        await first.subscription.commit(offsets);
        await first.subscription.close();
        const second = await join(bus, { group, topics: [topic] });
        await second.owner.until(({ owned }) => owned.size === 2);
        const owned = [...second.owner.owned.values()].toSorted((a, b) => a.partition - b.partition);
        expect(owned.map(({ committed }) => committed)).toEqual([3, 2]);
        expect(owned.map(({ metadata }) => metadata)).toEqual(["m".repeat(4_096), undefined]);
        // The same log as before, for both.
        expect(owned.map(({ life }) => life)).toEqual(
          fresh.toSorted((a, b) => a.partition - b.partition).map(({ life }) => life),
        );
        expect(owned.every(({ life }) => life !== undefined)).toBe(true);
      },
    );

    check("refuses a text beyond 4,096 bytes and keeps what was committed before", async () => {
      const { bus, topic, group } = await withTopic(1);
      await bus.publish(numbered(topic, 5));
      const first = await join(bus, { group, topics: [topic] });
      const at = { topic, partition: 0 };
      await first.subscription.commit([{ ...at, offset: 2, metadata: "kept" }]);
      const refused = first.subscription.commit([{ ...at, offset: 3, metadata: "m".repeat(4_097) }]);
      expect(await rejection(refused)).toMatchObject({ code: "broker", retryable: false });
      await first.subscription.close();
      const second = await join(bus, { group, topics: [topic] });
      expect([...second.owner.owned.values()]).toMatchObject([{ committed: 2, metadata: "kept" }]);
    });

    check("a transaction's records and offsets are there together, one after the other", async () => {
      const { bus, topic, group } = await withTopic(1);
      await bus.publish(numbered(topic, 4));
      const first = await join(bus, { group, topics: [topic] });
      const taken = await takeCount(first.subscription, 4);
      const transactions = first.subscription.transactions(`x-${topic}`);
      for (const at of [0, 1, 2])
        await transactions.commit([numberedOne(topic, 100 + at)], after(taken.slice(0, at + 1)));
      await transactions.commit([], after(taken.slice(0, 4)));
      await transactions.close();
      await first.subscription.close();
      const second = await join(bus, { group, topics: [topic] });
      const numbers = (await takeCount(second.subscription, 3)).map(({ value }) => Number(textOf(value)));
      expect(numbers).toEqual([100, 101, 102]);
    });

    const checkTakenBack: typeof check = takesBack
      ? check
      : (title) =>
          test.skip(`${title}; skipped because this broker hides no aborted records`, () => undefined);
    checkTakenBack(
      "nothing is there of a transaction with a record that is too large, and the next one goes",
      async () => {
        const { bus, topic, group } = await withTopic(1);
        await bus.publish(numbered(topic, 2));
        const first = await join(bus, { group, topics: [topic] });
        const taken = await takeCount(first.subscription, 2);
        const transactions = first.subscription.transactions(`x-${topic}`);
        const huge = { topic, key: null, value: new Uint8Array(3_000_000), headers: [] };
        const refused = transactions.commit([numberedOne(topic, 100), huge], after(taken.slice(0, 1)));
        expect(await rejection(refused)).toMatchObject({ code: "record_too_large" });
        expect(await rejection(transactions.rehearse([huge]))).toMatchObject({ code: "record_too_large" });
        await transactions.rehearse([numberedOne(topic, 101)]);
        await transactions.commit([numberedOne(topic, 102)], after(taken.slice(0, 1)));
        await transactions.close();
        expect(await rejection(transactions.commit([], after(taken)))).toMatchObject({ code: "closed" });
        await first.subscription.close();
        const second = await join(bus, { group, topics: [topic] });
        const seen = (await takeCount(second.subscription, 2)).map(({ value }) => Number(textOf(value)));
        expect(seen).toEqual([1, 102]);
      },
    );

    check("starts a new group at the end where it was asked to, and a known group where it was", async () => {
      const { bus, topic, group } = await withTopic(1);
      await bus.publish(numbered(topic, 5));
      const first = await join(bus, { group, topics: [topic], startAt: "latest" });
      const waiting = first.subscription.take(10);
      await bus.publish(numbered(topic, 2, 5));
      const seen = [...(await waiting)];
      while (seen.length < 2) seen.push(...(await first.subscription.take(10)));
      expect(seen.map(({ offset }) => offset)).toEqual([5, 6]);
      await first.subscription.commit(after(seen.slice(0, 1)));
      await first.subscription.close();
      await bus.publish(numbered(topic, 1, 7));
      const second = await join(bus, { group, topics: [topic], startAt: "latest" });
      expect((await takeCount(second.subscription, 2)).map(({ offset }) => offset)).toEqual([6, 7]);
    });

    check("hands every record to every group", async () => {
      const { bus, topic } = await withTopic(2);
      await bus.publish(numbered(topic, 20));
      const groups = await Promise.all(
        ["a", "b"].map((group) => join(bus, { group: `${group}-${topic}`, topics: [topic] })),
      );
      const got = await Promise.all(groups.map(({ subscription }) => takeCount(subscription, 20)));
      for (const records of got) {
        expect(records.map(({ value }) => Number(textOf(value))).toSorted((a, b) => a - b)).toEqual([
          ...Array(20).keys(),
        ]);
      }
    });

    check("reads several topics in one subscription", async () => {
      const { bus, topic, group } = await withTopic(1);
      const other = `t-${crypto.randomUUID()}`;
      await bus.ensureTopics([{ name: other, partitions: 1, provision: "create" }]);
      await bus.publish([...numbered(topic, 3), ...numbered(other, 3)]);
      const { subscription } = await join(bus, { group, topics: [topic, other] });
      const got = await takeCount(subscription, 6);
      expect(new Set(got.map((record) => record.topic))).toEqual(new Set([topic, other]));
    });

    check("delivers nothing of a paused partition, and all of it in order when it is resumed", async () => {
      const { bus, topic, group } = await withTopic(2);
      const { subscription } = await join(bus, { group, topics: [topic] });
      const positions = await bus.publish(numbered(topic, 20));
      const seen = [...(await takeCount(subscription, 20))];
      const paused = [{ topic, partition: 0 }];
      subscription.pause(paused);
      const more = await bus.publish(
        [...positions, ...positions].map((_, at) => numberedOne(topic, 20 + at)),
      );
      const elsewhere = [...more].filter(({ partition }) => partition === 1).length;
      expect(elsewhere).toBeWithin(1, 40);
      const others = await takeCount(subscription, elsewhere);
      expect(others.every(({ partition }) => partition === 1)).toBe(true);
      subscription.resume(paused);
      seen.push(...others, ...(await takeCount(subscription, 40 - elsewhere)));
      for (const partition of [0, 1]) {
        const offsets = seen.filter((record) => record.partition === partition).map(({ offset }) => offset);
        expect(offsets).toEqual([...offsets.keys()]);
      }
    });

    check(
      "shares partitions with a second member: drained first, committed while draining, read once",
      async () => {
        const { bus, topic, group } = await withTopic(4);
        const first = await join(bus, { group, topics: [topic] });
        await bus.publish(numbered(topic, 40));
        const taken = await takeCount(first.subscription, 40);
        first.owner.drain = async (partitions) => {
          await bus.backlog([{ group, topics: [topic] }]); // a drain takes its time
          const leaving = new Set(partitions.map(nameOf));
          await first.subscription.commit(after(taken.filter((record) => leaving.has(nameOf(record)))));
        };
        const second = await join(await open(), { group, topics: [topic] });
        await second.owner.until(({ owned }) => owned.size === 2);
        await first.owner.until(({ owned }) => owned.size === 2);
        expect([...first.owner.owned.keys(), ...second.owner.owned.keys()].toSorted()).toEqual(
          [0, 1, 2, 3].map((partition) => `${topic}/${partition}`),
        );
        const positions = await bus.publish(numbered(topic, 40, 40));
        const count = (owner: Owner) =>
          [...positions].filter((position) => owner.owned.has(nameOf(position))).length;
        const [mine, theirs] = await Promise.all([
          takeCount(first.subscription, count(first.owner)),
          takeCount(second.subscription, count(second.owner)),
        ]);
        expect(mine.every((record) => first.owner.owned.has(nameOf(record)))).toBe(true);
        const numbers = [...mine, ...theirs].map(({ value }) => Number(textOf(value)));
        expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, at) => 40 + at));
      },
    );

    check(
      "after a partition was given away, its offsets cannot be committed and its records do not come",
      async () => {
        const { bus, topic, group } = await withTopic(2);
        const first = await join(bus, { group, topics: [topic] });
        await bus.publish(numbered(topic, 20));
        const taken = await takeCount(first.subscription, 20);
        const second = await join(await open(), { group, topics: [topic] });
        await second.owner.until(({ owned }) => owned.size === 1);
        const foreign = after(taken).filter((offset) => !first.owner.owned.has(nameOf(offset)));
        expect(foreign.length).toBe(1);
        expect(await rejection(first.subscription.commit(foreign))).toBeInstanceOf(CauceError);
        // Nothing was committed of it: the new owner starts at its beginning.
        const theirs = taken.filter((record) => second.owner.owned.has(nameOf(record))).length;
        expect((await takeCount(second.subscription, theirs)).map(({ offset }) => offset)).toEqual([
          ...Array(theirs).keys(),
        ]);
      },
    );

    check(
      "hands out nothing of a partition that is being given away, however long its drain takes",
      async () => {
        const { bus, topic, group } = await withTopic(2);
        const first = await join(bus, { group, topics: [topic] });
        const drained = Promise.withResolvers<void>();
        first.owner.drain = () => drained.promise;
        const joining = join(await open(), { group, topics: [topic] });
        await first.owner.until(({ revocations }) => revocations.length === 1);
        const leaving = new Set(first.owner.revocations.flat().map(nameOf));
        const positions = await bus.publish(numbered(topic, 40));
        const kept = [...positions].filter((position) => !leaving.has(nameOf(position))).length;
        expect(kept).toBeWithin(1, 40);
        const taken = await takeCount(first.subscription, kept);
        expect(taken.filter((record) => leaving.has(nameOf(record)))).toEqual([]);
        drained.resolve();
        const second = await joining;
        await second.owner.until(({ owned }) => owned.size === 1);
        expect(
          (await takeCount(second.subscription, 40 - kept)).every((record) => leaving.has(nameOf(record))),
        ).toBe(true);
      },
    );

    check("takes partitions back from an owner that does not drain in time", async () => {
      const { bus, topic, group } = await withTopic(2);
      const first = await join(bus, { group, topics: [topic], drainMs: 300 });
      const never = Promise.withResolvers<void>();
      first.owner.drain = () => never.promise;
      const second = await join(await open(), { group, topics: [topic] });
      await second.owner.until(({ owned }) => owned.size === 1);
      expect(first.owner.revocations.length).toBe(1);
      never.resolve();
    });

    check("gives a leaving member's partitions to the others", async () => {
      const { bus, topic, group } = await withTopic(2);
      const first = await join(bus, { group, topics: [topic] });
      const second = await join(await open(), { group, topics: [topic] });
      await second.owner.until(({ owned }) => owned.size === 1);
      await second.subscription.close();
      await first.owner.until(({ owned }) => owned.size === 2);
    });

    check("refuses a record that is too large and stays usable", async () => {
      const { bus, topic, group } = await withTopic(1);
      const tooLarge = { topic, key: null, value: new Uint8Array(1_100_000), headers: [] };
      expect(await rejection(bus.publish([tooLarge]))).toMatchObject({
        code: "record_too_large",
        retryable: false,
      });
      await bus.publish(numbered(topic, 1));
      const { subscription } = await join(bus, { group, topics: [topic] });
      expect((await takeCount(subscription, 1)).map(({ offset }) => offset)).toEqual([0]);
    });

    check("counts what is left to read, for a member and for groups from outside", async () => {
      const { bus, topic, group } = await withTopic(2);
      await bus.publish(numbered(topic, 20));
      const { subscription } = await join(bus, { group, topics: [topic] });
      const taken = await takeCount(subscription, 20);
      expect(total(subscription.lag())).toBe(20);
      expect(total(await bus.backlog([{ group, topics: [topic] }]))).toBe(20);
      await subscription.commit(after(taken));
      expect(total(subscription.lag())).toBe(0);
      const outside = await bus.backlog([{ group, topics: [topic] }, { group: `never-${topic}`, topics: [topic] }]); // prettier-ignore
      expect(total(outside.filter((entry) => entry.group === group))).toBe(0);
      expect(total(outside.filter((entry) => entry.group !== group))).toBe(20);
      expect(outside.length).toBe(4);
    });

    check("is ready once partitions were assigned, and connected once it spoke to the broker", async () => {
      const { bus, topic, group } = await withTopic(1);
      const { subscription } = await join(bus, { group, topics: [topic] });
      await bus.publish(numbered(topic, 1));
      expect(subscription.ready).toBe(true);
      expect(bus.connected).toBe(true);
    });

    check("a closed bus refuses everything, closes its subscriptions, and may be closed again", async () => {
      const { bus, topic, group } = await withTopic(1);
      const { subscription, owner } = await join(bus, { group, topics: [topic] });
      const waiting = subscription.take(1);
      await bus.close();
      await bus.close();
      expect(await waiting).toEqual([]);
      expect(bus.connected).toBe(false);
      expect(await rejection(bus.publish(numbered(topic, 1)))).toMatchObject({ code: "closed" });
      const late = bus.subscribe({
        group,
        topics: [topic],
        startAt: "earliest",
        drainMs: 1,
        ownership: owner,
      });
      expect(await rejection(late)).toMatchObject({ code: "closed" });
    });

    check("acknowledges everything that was published before it was closed", async () => {
      const { bus, topic, group } = await withTopic(1);
      const published = bus.publish(numbered(topic, 500));
      await Promise.all([published, bus.close()]);
      const { subscription } = await join(await open(), { group, topics: [topic] });
      expect((await takeCount(subscription, 500)).length).toBe(500);
    });
  });
}

/** Records whose value is their number and whose key is one of ten. */
function numbered(topic: string, count: number, from = 0): OutgoingRecord[] {
  return Array.from({ length: count }, (_, at) => numberedOne(topic, from + at));
}

function numberedOne(topic: string, number: number): OutgoingRecord {
  return { topic, key: bytes(`key-${number % 10}`), value: bytes(String(number)), headers: [] };
}

function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "it resolved",
    (error: unknown) => error,
  );
}

const total = (entries: readonly { readonly records: number }[]) =>
  entries.reduce((sum, { records }) => sum + records, 0);
const list = (value: Uint8Array | null): number[] | null => (value ? [...value] : null);
const pair = ([name, value]: readonly [string, Uint8Array | null]) => [name, list(value)];
