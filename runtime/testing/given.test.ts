import { expect, test } from "bun:test";
import { GiveUp, handler, topic } from "cauce";
import { given } from "cauce/testing";
import * as v from "valibot";

const numbers = topic("numbers", { schema: v.looseObject({ n: v.number() }) });
const halves = topic("halves", { schema: v.object({ n: v.number(), rest: v.number() }) });
const halving = handler({
  on: numbers,
  out: { halves },
  handle({ value, attempt }, { out }) {
    if (value.n < 0) throw new GiveUp("negative");
    if (value.n === 0) return undefined;
    if (value.n === 99) throw new Error(`failed ${attempt}`);
    const half = { n: Math.floor(value.n / 2), rest: value.n % 2 };
    return value.n > 1_000 ? out.halves(half, { after: "1m" }) : out.halves(half);
  },
});

test("says what a handler emits, leaving out the fields that do not matter", async () => {
  await given(halving)
    .when({ n: 7 })
    .emits({ halves: { n: 3 } });
  await given(halving).when({ n: 2_000 }).emitsLater({ topic: "halves", after: "1m" });
  await given(halving).when({ n: 0 }).emitsNothing();
});

test("says how a handler fails and when it is retried", async () => {
  await given(halving).when({ n: -1 }).failsWith(GiveUp);
  await given(halving).when({ n: 99 }).retries("1s");
  await given(halving).when({ n: 99 }, { attempts: 4 }).failsWith(Error);
});

test("fails with what came instead", async () => {
  expect(
    given(halving)
      .when({ n: 7 })
      .emits({ halves: { n: 4 } }),
  ).rejects.toThrow('halves: {"n":3,"rest":1}');
  expect(given(halving).when({ n: 7 }).emitsNothing()).rejects.toThrow("expected success without outputs");
  expect(given(halving).when({ n: 99 }).emits({})).rejects.toThrow(
    "a retry after 1000 ms because of Error: failed 1",
  );
  expect(given(halving).when({ n: 7 }).failsWith(GiveUp)).rejects.toThrow("dead letter");
  expect(given(halving).when({ n: 7 }).emits({})).rejects.toThrow("no output but the 0 expected");
});

test("a handler of batches gets a batch of one", async () => {
  const batched = handler({
    on: numbers,
    out: { halves },
    batch: { max: 100, within: "1s" },
    handle: (messages, { out, fail }) =>
      messages.map(({ value: { n } }) =>
        n < 0 ? fail(new GiveUp("negative")) : out.halves({ n: n / 2, rest: 0 }),
      ),
  });
  await given(batched)
    .when({ n: 8 })
    .emits({ halves: { n: 4 } });
  await given(batched).when({ n: -1 }).failsWith(GiveUp);
});
