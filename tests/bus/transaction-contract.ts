/**
 * What every bus does with records and offsets that belong together.
 *
 * In: a stage of contract.ts, and what the broker shows of a transaction that was taken back. Out: tests.
 */
import { expect } from "bun:test";
import { type ContractStage, numbered, numberedOne, rejection } from "./contract-stage.ts";
import { after, join, takeCount, textOf } from "./owner.ts";

export function transactionContract({ withTopic, check }: ContractStage, takenBack: TakenBack): void {
  check("a transaction's records and offsets are there together, one after the other", async () => {
    const { bus, topic, group } = await withTopic(1);
    await bus.publish(numbered(topic, 4));
    const first = await join(bus, { group, topics: [topic] });
    const taken = await takeCount(first.subscription, 4);
    const transactions = first.subscription.transactions(`x-${topic}`);
    for (const at of [0, 1, 2])
      await transactions.commit([numberedOne(topic, 100 + at)], after(taken.slice(0, at + 1)));
    await transactions.commit([], after(taken.slice(0, 4)));
    await transactions.close(5_000);
    await first.subscription.close();
    const second = await join(bus, { group, topics: [topic] });
    const numbers = (await takeCount(second.subscription, 3)).map(({ value }) => Number(textOf(value)));
    expect(numbers).toEqual([100, 101, 102]);
  });

  check(SHOWN_TITLE[takenBack], async () => {
    const { bus, topic, group } = await withTopic(1);
    await bus.publish(numbered(topic, 2));
    const first = await join(bus, { group, topics: [topic] });
    const taken = await takeCount(first.subscription, 2);
    const transactions = first.subscription.transactions(`x-${topic}`);
    const huge = { topic, key: null, value: new Uint8Array(3_000_000), headers: [] };
    const refused = transactions.commit([numberedOne(topic, PURGED), huge], after(taken.slice(0, 1)));
    expect(await rejection(refused)).toMatchObject({ code: "record_too_large" });
    expect(await rejection(transactions.rehearse([huge]))).toMatchObject({ code: "record_too_large" });
    await transactions.rehearse([numberedOne(topic, REHEARSED)]);
    await transactions.commit([numberedOne(topic, LAST)], after(taken.slice(0, 1)));
    await transactions.close(5_000);
    expect(await rejection(transactions.commit([], after(taken)))).toMatchObject({ code: "closed" });
    await first.subscription.close();
    const second = await join(bus, { group, topics: [topic] });
    const seen: number[] = [];
    while (seen.at(-1) !== LAST)
      seen.push(...(await takeCount(second.subscription, 1)).map(({ value }) => Number(textOf(value))));
    if (takenBack === "hidden") expect(seen).toEqual([1, LAST]);
    // One that was purged may have reached the broker before.
    else expect(seen.filter((number) => number !== PURGED)).toEqual([1, REHEARSED, LAST]);
  });
}

/** A broker with transactions hides what was taken back. One that only speaks of them keeps it to be read. */
export type TakenBack = "hidden" | "shown";

const SHOWN_TITLE: Readonly<Record<TakenBack, string>> = {
  hidden: "nothing is there of a transaction with a record that is too large, and the next one goes",
  shown:
    "what a transaction took back is there all the same, as on no broker that has transactions; its offsets are not, and the next one goes",
};

/** In a transaction that ends before it may be sent; in one that ends once it is acknowledged; in one that is committed. */
const [PURGED, REHEARSED, LAST] = [100, 101, 102];
