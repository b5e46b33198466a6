/**
 * What every bus does for one that reads: which records come, how many at once, and when none do.
 *
 * In: a stage of contract.ts. Out: tests. Never here: partitions that change hands, commits.
 */
import { expect } from "bun:test";
import { type ContractStage, numbered, numberedOne } from "./contract-stage.ts";
import { join, takeCount, textOf } from "./owner.ts";

export function readingContract({ withTopic, check }: ContractStage): void {
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
    const more = await bus.publish([...positions, ...positions].map((_, at) => numberedOne(topic, 20 + at)));
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
}
