/**
 * What every bus does when the partitions of a group change hands.
 *
 * In: a stage of contract.ts. Out: tests. Never here: a member that dies (the fault suite kills processes).
 */
import { expect } from "bun:test";
import type { IncomingRecord } from "../../runtime/bus/bus.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { type ContractStage, numbered, rejection } from "./contract-stage.ts";
import { after, join, nameOf, type Owner, takeCount, textOf } from "./owner.ts";

export function ownershipContract({ open, withTopic, check }: ContractStage): void {
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
    "deals out each topic for itself: with as many members, each has the same share of every topic",
    async () => {
      const { bus, topic, group } = await withTopic(6);
      const other = `${topic}.retry`;
      await bus.ensureTopics([{ name: other, partitions: 6, provision: "create" }]);
      const topics = [topic, other];
      const first = await join(bus, { group, topics });
      await first.owner.until(({ owned }) => owned.size === 12);
      const second = await join(await open(), { group, topics });
      const both = [first.owner, second.owner];
      await Promise.all(both.map((owner) => owner.until(({ owned }) => owned.size === 6)));
      for (const { owned } of both) {
        const shares = topics.map((name) => [...owned.values()].filter((one) => one.topic === name).length);
        expect(shares).toEqual([3, 3]);
      }
    },
  );

  check("reads every topic while another has a backlog that never ends, and commits both", async () => {
    const { bus, topic, group } = await withTopic(1);
    const other = `${topic}.retry`;
    await bus.ensureTopics([{ name: other, partitions: 1, provision: "create" }]);
    const topics = [topic, other];
    const { subscription } = await join(bus, { group, topics });
    await bus.publish([...numbered(topic, 500), ...numbered(other, 1)]);
    const taken: IncomingRecord[] = [];
    let published = 501;
    while (!taken.some((record) => record.topic === other)) {
      taken.push(...(await subscription.take(10)));
      published += (await bus.publish(numbered(topic, 20))).length;
      if (published > 100_000) throw new Error("the other topic's record never came");
    }
    await subscription.commit(after(taken));
    const backlog = await bus.backlog([{ group, topics }]);
    expect(backlog.reduce((sum, { records }) => sum + records, 0)).toBe(published - taken.length);
  });

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
      // What stays may be kept back too until the drain is over, as librdkafka does.
      const taking = takeCount(first.subscription, kept);
      const others = await join(await open(), { group: `others-${topic}`, topics: [topic] });
      await takeCount(others.subscription, 40);
      drained.resolve();
      expect((await taking).filter((record) => leaving.has(nameOf(record)))).toEqual([]);
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

  check("a partition that was paused, left and came back is not paused any more", async () => {
    const { bus, topic, group } = await withTopic(2);
    const first = await join(bus, { group, topics: [topic] });
    first.subscription.pause([...first.owner.owned.values()]);
    const second = await join(await open(), { group, topics: [topic] });
    await second.owner.until(({ owned }) => owned.size === 1);
    const [left] = second.owner.owned.values();
    await second.subscription.close();
    await first.owner.until(({ owned }) => owned.size === 2);
    const positions = [...(await bus.publish(numbered(topic, 40)))];
    const count = positions.filter(
      (position) => nameOf(position) === nameOf(left ?? { topic, partition: -1 }),
    );
    const taken = await takeCount(first.subscription, count.length);
    expect(taken.every((record) => record.partition === left?.partition)).toBe(true);
  });

  check("gives a leaving member's partitions to the others", async () => {
    const { bus, topic, group } = await withTopic(2);
    const first = await join(bus, { group, topics: [topic] });
    const second = await join(await open(), { group, topics: [topic] });
    await second.owner.until(({ owned }) => owned.size === 1);
    await second.subscription.close();
    await first.owner.until(({ owned }) => owned.size === 2);
  });
}
