/**
 * What every bus does with records that are published, and with topics.
 *
 * In: a stage of contract.ts. Out: tests. Never here: groups with several members, commits.
 */
import { expect } from "bun:test";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { type ContractStage, numbered, rejection } from "./contract-stage.ts";
import { bytes, join, nameOf, takeCount, textOf } from "./owner.ts";

export function publishingContract({ open, withTopic, check }: ContractStage): void {
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

  check("answers the position of every record in the order given, and each lies where it said", async () => {
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
  });

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
}

const list = (value: Uint8Array | null): number[] | null => (value ? [...value] : null);
const pair = ([name, value]: readonly [string, Uint8Array | null]) => [name, list(value)];
