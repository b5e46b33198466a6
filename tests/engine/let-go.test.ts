/** A record is let go once, when its message is settled for good, and not before. */
import { expect, test } from "bun:test";
import { handler } from "cauce";
import { doubled, numbers, stage, until } from "./stage.ts";

for (const guarantee of ["at-least-once", "exactly-once"] as const) {
  test(`its record is let go once a message is settled, ${guarantee}`, async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const waiting = handler({
      name: "waiting",
      on: numbers,
      out: { doubled },
      guarantee,
      async handle({ value }, { out }) {
        reached.resolve();
        await gate.promise;
        return out.doubled(value);
      },
    });
    let told = 0;
    const gone: number[] = [];
    const { send, broker } = await stage(waiting, { settled: () => told++ });
    await send({ id: "a", n: 1 });
    await reached.promise;
    const [record] = broker.records(numbers.name);
    if (record === undefined) throw new Error("it is not in the log");
    record.letGo = () => gone.push(told);
    gate.resolve();
    await until(() => gone.length > 0);
    expect([told, gone]).toEqual([1, [1]]);
  });
}

test("a message that goes to the schedule or to the dead letters lets its record go too", async () => {
  const failing = handler({
    name: "failing",
    on: numbers,
    retry: [[TypeError, { delay: "constant", base: "1s" }]],
    handle({ value }) {
      throw value.n === 1 ? new TypeError("again") : new Error("the end");
    },
  });
  const { send, sendBytes, settled, broker } = await stage(failing);
  const gone: number[] = [];
  const watch = () => {
    for (const record of broker.records(numbers.name)) record.letGo = () => gone.push(record.offset);
  };
  const sending = [send({ id: "a", n: 1 }), sendBytes(null)];
  watch();
  await Promise.all(sending);
  const outcomes = await settled(2);
  expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["dead", "retry"]);
  expect(gone).toHaveLength(2);
});
