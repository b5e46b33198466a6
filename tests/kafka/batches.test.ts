/** Records of a batch: what may be kept of them, how they go on unread, and what their release ends; by both crossings. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  Consumer,
  type ConsumedRecord,
  type Library,
  MockCluster,
  Producer,
  release,
} from "../../runtime/kafka/index.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { CROSSINGS, testLibrary } from "./library.ts";

for (const crossing of CROSSINGS) {
  describe(`records of a batch, ${crossing}`, () => {
    let library: Library;
    let cluster: MockCluster;
    let producer: Producer;
    beforeAll(async () => {
      library = await testLibrary();
      cluster = MockCluster.start({ library });
      producer = await Producer.open({
        library,
        crossing,
        config: { "bootstrap.servers": cluster.bootstrap },
      });
    });
    afterAll(async () => {
      await producer.close(0);
      cluster.close();
    });

    /** Writes records to a new topic and takes them from there. */
    const through = async (values: readonly (Uint8Array | null)[]): Promise<readonly ConsumedRecord[]> => {
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      await producer.produce(
        values.map((value, at) => ({
          topic,
          key: at % 2 === 0 ? bytes(`k${at}`) : null,
          value,
          headers:
            at % 3 === 0
              ? [
                  ["n", bytes(String(at))],
                  ["null", null],
                  ["empty", new Uint8Array()],
                ]
              : [],
        })),
      );
      return await read(topic, values.length);
    };
    const read = async (topic: string, count: number): Promise<readonly ConsumedRecord[]> => {
      const consumer = await Consumer.open({
        library,
        crossing,
        config: { "bootstrap.servers": cluster.bootstrap, "fetch.wait.max.ms": 10 },
        groupProtocol: "consumer",
        group: `g-${topic}`,
        topics: [topic],
        startAt: "earliest",
        drainMs: 1_000,
        assigned: () => undefined,
        revoked: () => Promise.resolve(),
        lost: () => undefined,
        troubled: () => undefined,
      });
      const records: ConsumedRecord[] = [];
      while (records.length < count) records.push(...(await consumer.take(count)));
      await consumer.close();
      return records;
    };

    test("forwarded unread they are the same elsewhere: keys, values, headers, nulls and empties", async () => {
      const values = [bytes("one"), new Uint8Array(), null, bytes("four"), new Uint8Array(5_000).fill(7)];
      const taken = await through(values);
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      await producer.produce(taken.map((record) => record.forward(topic)));
      const again = await read(topic, values.length);
      for (const [at, record] of again.entries()) {
        const before = taken[at];
        expect(record.key).toEqual(before?.key ?? null);
        expect(record.value).toEqual(before?.value ?? null);
        expect(record.headers).toEqual(before?.headers ?? []);
      }
      expect(again.map(({ value }) => value?.byteLength ?? null)).toEqual([3, 0, null, 4, 5_000]);
    });

    test("headers go on as a block beside another value", async () => {
      const [first] = await through([bytes("one")]);
      if (first === undefined) throw new Error("nothing came");
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      await producer.produce([{ topic, key: null, value: bytes("other"), headers: first.headerBlock }]);
      const [again] = await read(topic, 1);
      expect(textOf(again?.value ?? null)).toBe("other");
      expect(again?.headers).toEqual(first.headers);
    });

    test("its texts are those of its bytes, whatever these are", async () => {
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      const odd = [
        null,
        new Uint8Array(),
        bytes("plain"),
        bytes("ñ, 漢字, 🙂"),
        bytes("\ufeffmarked"),
        bytes("\ufffd, really"),
        new Uint8Array([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82]),
        new Uint8Array([0x61, 0, 0x62]),
      ];
      await producer.produce(
        odd.map((value) => ({
          topic,
          key: value,
          value,
          headers: [
            ["name", bytes("first")],
            ["mane", bytes("other")],
            ["null", null],
            ["name", value],
          ],
        })),
      );
      const records = await read(topic, odd.length);
      const names = ["absent", "null", "name", "mane"];
      for (const [at, record] of records.entries()) {
        const value = odd[at] ?? null;
        expect(record.keyText()).toBe(textOf(value));
        expect(record.valueText()).toBe(textOf(value));
        expect(record.headerTexts(names)).toEqual([undefined, undefined, textOf(value) ?? "first", "other"]);
        expect(record.bodyBytes).toBe(2 * (value?.byteLength ?? 0));
      }
    });

    test("header names are told apart, also those that look alike to a hash", async () => {
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      // "Aa" and "BB" have the same sum by 31; so has every pair of words made of them.
      const names = ["AaAa", "BBBB", "AaBB", "BBAa", "", "ä", "AaAa"];
      const headers = names.map((name) => [name, bytes(name)] as const);
      await producer.produce([{ topic, key: null, value: null, headers }]);
      const [record] = await read(topic, 1);
      expect(record?.headers.map(([name]) => name)).toEqual(names);
    });

    test("bytes that a record's getter makes at each look live until they have crossed", async () => {
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      const made = Array.from({ length: 400 }, (_, at) => ({
        topic,
        key: null,
        headers: [],
        get value() {
          Bun.gc(at % 100 === 99);
          return new Uint8Array(2_000).fill(at % 251);
        },
      }));
      await producer.produce(made);
      const records = await read(topic, made.length);
      const wrong = records.filter(({ value }, at) => value?.some((byte) => byte !== at % 251));
      expect(wrong).toEqual([]);
    });

    test("a batch larger than was guessed comes whole and in order", async () => {
      const sizes = [1, 100, 200_000, 3, 400_000, 5, 900_000, 7];
      const records = await through(sizes.map((size) => new Uint8Array(size).fill(size % 251)));
      expect(records.map(({ value }) => value?.byteLength)).toEqual(sizes);
      expect(records.map(({ value }) => value?.at(-1))).toEqual(sizes.map((size) => size % 251));
    });

    test("after a release every field of its records throws, and a view that was kept shows nothing", async () => {
      const taken = await through([bytes("one"), bytes("two")]);
      const kept = taken[0]?.value ?? null;
      const forwarded = taken[1]?.forward("elsewhere");
      release(taken);
      release(taken);
      expect(() => taken[0]?.value).toThrow("after its batch was released");
      expect(() => taken[1]?.key).toThrow("after its batch was released");
      expect(() => taken[1]?.headers).toThrow("after its batch was released");
      expect(() => taken[1]?.timestampMs).toThrow("after its batch was released");
      expect(() => taken[1]?.keyText()).toThrow("after its batch was released");
      expect(() => taken[1]?.valueText()).toThrow("after its batch was released");
      expect(() => taken[1]?.headerTexts(["n"])).toThrow("after its batch was released");
      expect(() => taken[1]?.bodyBytes).toThrow("after its batch was released");
      expect(kept?.byteLength).toBe(0);
      expect(taken[1]?.offset).toBe(1);
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, 1);
      const late = producer.produce([{ topic, key: null, value: kept, headers: [] }]);
      expect(await late.catch((error: unknown) => error)).toMatchObject({ code: "defect" });
      const later = producer.produce(forwarded === undefined ? [] : [forwarded]);
      expect(await later.catch((error: unknown) => error)).toMatchObject({ code: "defect" });
    });

    test("once all of a batch are let go, its memory is used again", async () => {
      const taken = await through([bytes("one"), bytes("two")]);
      expect(taken.map((record) => record.valueText())).toEqual(["one", "two"]);
      taken[0]?.letGo?.();
      taken[0]?.letGo?.();
      expect(taken[0]?.valueText()).toBe("one");
      taken[1]?.letGo?.();
      expect(() => taken[0]?.valueText()).toThrow("after its batch was released");
      expect(taken[1]?.offset).toBe(1);
    });

    test("let go or not, what somebody looked at as bytes stays", async () => {
      const looks: ((record: ConsumedRecord) => unknown)[] = [
        ({ value }) => value,
        ({ key }) => key,
        ({ headers }) => headers,
        ({ headerBlock }) => headerBlock,
        (record) => record.forward("elsewhere"),
      ];
      for (const look of looks) {
        const taken = await through([bytes("one"), bytes("two")]);
        const kept = taken.slice(0, 1).map(look);
        for (const record of taken) record.letGo?.();
        expect(taken.map((record) => record.valueText())).toEqual(["one", "two"]);
        expect(kept).toHaveLength(1);
      }
    });

    test("released memory never shows a later batch's bytes to an earlier view", async () => {
      const early = await through([new Uint8Array(1_000).fill(1)]);
      const kept = early[0]?.value ?? null;
      release(early);
      const later = await through([new Uint8Array(1_000).fill(2)]);
      expect(later[0]?.value?.every((byte) => byte === 2)).toBe(true);
      expect(() => [...(kept ?? [])]).toThrow("detached");
      expect(kept?.[0]).toBeUndefined();
    });
  });
}
