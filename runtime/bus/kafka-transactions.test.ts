/** What becomes of the size of batches when a broker refuses them, over producers that only write down what they are asked. */
import { expect, test } from "bun:test";
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { RefusedTogether } from "../kafka/index.ts";
import { KafkaTransactions, type TransactionWriter } from "./kafka-transactions.ts";

const record = { topic: "out", key: null, value: new Uint8Array(10), headers: [] };
const offset = { topic: "in", partition: 0, offset: 1 };

/** Batches above `limitBytes` are refused; null is librdkafka's own size. */
function stage(limitBytes: { now: number }) {
  const opened: (number | null)[] = [];
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => undefined };
  const transactions = new KafkaTransactions({
    clock,
    open: ({ batchBytes = null }) => {
      opened.push(batchBytes);
      const writer: TransactionWriter = {
        spent: undefined,
        init: () => Promise.resolve(),
        begin: () => Promise.resolve(),
        produce: () =>
          (batchBytes ?? Infinity) <= limitBytes.now
            ? Promise.resolve([])
            : Promise.reject(new RefusedTogether("too large", { left: [0], positions: [] })),
        sendOffsets: () => Promise.resolve(),
        commit: () => Promise.resolve(),
        abort: () => Promise.resolve(),
        close: () => Promise.resolve(),
      };
      return Promise.resolve(writer);
    },
    byMember: (offsets) => [{ offsets, group: new Uint8Array() }],
    committed: () => Promise.resolve([]),
    after: () => Promise.resolve(),
  });
  /** Until it is committed, or refused for what no smaller batch mends. @returns how often it was taken back */
  const commit = async () => {
    for (let takenBack = 0; ; takenBack++) {
      try {
        await transactions.commit([record], [offset]);
        return takenBack;
      } catch (error) {
        if (!(error instanceof CauceError) || error.code !== "broker") throw error;
      }
    }
  };
  return { opened, commit, passes: (ms: number) => (nowMs += ms) };
}

test("a refusal for the size of a batch leads to smaller ones, as small as they must be", async () => {
  const { opened, commit } = stage({ now: 4_000 });
  expect(await commit()).toBe(3);
  expect(opened).toEqual([null, 125_000, 15_625, 1_953]);
  expect(await commit()).toBe(0);
  expect(opened.length).toBe(4);
});

test("a minute without a refusal leads back to larger ones, step by step, as long as they are taken", async () => {
  const limit = { now: 4_000 };
  const { opened, commit, passes } = stage(limit);
  await commit();
  passes(60_000);
  expect(await commit()).toBe(1);
  expect(opened.slice(4)).toEqual([15_625, 1_953]);
  limit.now = Infinity;
  for (let minute = 0; minute < 5; minute++) {
    passes(60_000);
    expect(await commit()).toBe(0);
  }
  expect(opened.slice(6)).toEqual([15_625, 125_000, null]);
});

test("only a record that is refused in a batch of its own is said to be too large", async () => {
  const { opened, commit } = stage({ now: 0 });
  const refused = await commit().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "record_too_large" });
  expect(opened).toEqual([null, 125_000, 15_625, 1_953, 1]);
});
