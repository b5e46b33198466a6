/**
 * What every bus keeps for a group: where it goes on, the text beside it, what is left to read.
 *
 * In: a stage of contract.ts. Out: tests. Never here: transactions.
 */
import { expect } from "bun:test";
import { type ContractStage, numbered, rejection } from "./contract-stage.ts";
import { after, join, takeCount } from "./owner.ts";

export function commitContract({ withTopic, check }: ContractStage): void {
  check("goes on at the committed offset after a restart, and repeats what was not committed", async () => {
    const { bus, topic, group } = await withTopic(1);
    await bus.publish(numbered(topic, 10));
    const first = await join(bus, { group, topics: [topic] });
    const taken = await takeCount(first.subscription, 7);
    await first.subscription.commit(after(taken.slice(0, 4)));
    await first.subscription.close();
    const second = await join(bus, { group, topics: [topic] });
    expect((await takeCount(second.subscription, 6)).map(({ offset }) => offset)).toEqual([4, 5, 6, 7, 8, 9]);
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
    expect(await rejection(refused)).toMatchObject({ code: "metadata_refused", retryable: false });
    await first.subscription.close();
    const second = await join(bus, { group, topics: [topic] });
    expect([...second.owner.owned.values()]).toMatchObject([{ committed: 2, metadata: "kept" }]);
  });

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
    const committedBy = (mine: boolean) =>
      outside
        .filter((entry) => (entry.group === group) === mine)
        .reduce((sum, entry) => sum + entry.committed, 0);
    expect([committedBy(true), committedBy(false)]).toEqual([20, 0]);
  });
}

const total = (entries: readonly { readonly records: number }[]) =>
  entries.reduce((sum, { records }) => sum + records, 0);
