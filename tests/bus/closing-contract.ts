/**
 * What every bus says of itself, and what it does when it or a subscription is closed.
 *
 * In: a stage of contract.ts. Out: tests.
 */
import { expect } from "bun:test";
import { type ContractStage, numbered, rejection } from "./contract-stage.ts";
import { join, takeCount } from "./owner.ts";

export function closingContract({ open, withTopic, check }: ContractStage): void {
  check("is ready once partitions were assigned, and connected once it spoke to the broker", async () => {
    const { bus, topic, group } = await withTopic(1);
    const { subscription } = await join(bus, { group, topics: [topic] });
    await bus.publish(numbered(topic, 1));
    expect(subscription.ready).toBe(true);
    expect(bus.connected).toBe(true);
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
}
