import { expect, test } from "bun:test";
import { heldClock } from "../../tests/store/held-clock.ts";
import type { Parameter, Run } from "./connection.ts";
import { postgresClaim } from "./postgres-claim.ts";
import type { ClaimedRow } from "./rows.ts";
import { statementsFor } from "./statements.ts";

const LIMIT = 2;
const statements = statementsFor({ schema: "cauce", idleInTransactionMs: 1, statementTimeoutMs: 1 });
const rowOf = (n: number): ClaimedRow => ({
  id: `${n}`,
  handler: "h",
  message_id: `m-${n}`,
  delivery: 0,
  topic: "t",
  key: null,
  value: null,
  header_names: "{}",
  header_values: "{}",
  attempts: 0,
  deferrals: 0,
  fence: null,
  turn: null,
  version: null,
  due_s: n,
  by_hand_born_at_ms: null,
});

/** Two connections to a table with rows 0, 1, 2…: reads are answered when told, and say from which id they began. */
function table() {
  const reads: { readonly from: Parameter | undefined; readonly answer: () => void }[] = [];
  const publishes: { readonly ids: readonly string[]; readonly end: PromiseWithResolvers<void> }[] = [];
  let next = 0;
  const run = async (text: string, parameters: readonly Parameter[] = []) => {
    if (text !== statements.claim) return [];
    const { promise, resolve } = Promise.withResolvers<void>();
    reads.push({ from: parameters[5], answer: resolve });
    await promise;
    return [rowOf(next++), rowOf(next++)];
  };
  const connection = {
    transaction: <Result>(_: string, work: (inside: Run, begun: readonly unknown[]) => Promise<Result>) =>
      work(run as Run, [{ now_s: 0 }]),
  };
  const claim = postgresClaim({
    connections: [connection, connection],
    app: "app",
    statements,
    clock: heldClock(),
    publishDeadlineMs: 1_000,
  });
  const start = () =>
    claim({
      topics: ["t"],
      limit: LIMIT,
      async publish(due) {
        const end = Promise.withResolvers<void>();
        publishes.push({ ids: due.map(({ messageId }) => messageId), end });
        await end.promise;
      },
    });
  return { reads, publishes, start };
}

/** What is under way goes as far as it can. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("claims side by side read one after the other, each from where the one before it ended", async () => {
  const { reads, publishes, start } = table();
  const both = [start(), start()];
  await settled();
  expect(reads.map(({ from }) => from)).toEqual(["0"]);
  reads[0]?.answer();
  await settled();
  // The first is still publishing.
  expect(reads.map(({ from }) => from)).toEqual(["0", "1"]);
  reads[1]?.answer();
  await settled();
  expect(publishes.map(({ ids }) => ids)).toEqual([
    ["m-0", "m-1"],
    ["m-2", "m-3"],
  ]);
  for (const { end } of publishes) end.resolve();
  expect(await Promise.all(both)).toEqual([LIMIT, LIMIT]);
});

test("after one that failed, whichever it was, the next begins at the start", async () => {
  const { reads, publishes, start } = table();
  const both = [start(), start()];
  for (const at of [0, 1]) {
    await settled();
    reads[at]?.answer();
  }
  await settled();
  publishes[0]?.end.reject(new Error("no broker"));
  expect((await Promise.allSettled(both.slice(0, 1)))[0]?.status).toBe("rejected");
  void start().catch(() => {});
  await settled();
  expect(reads.at(-1)?.from).toBe("0");
});
