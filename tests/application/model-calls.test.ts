/** Model calls in a real Postgres: each is made once, whoever asks, and its price is known. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Call, Finished } from "../../handlers/shared/model/pay-once.ts";
import { createModelCalls } from "../../handlers/shared/storage/model-calls.ts";
import { newQuestion, openStage, resultFor, type Stage } from "./stage.ts";

const PRICES = { promptPerMillion: 0.5, completionPerMillion: 2 };
const usage = { prompt_tokens: 1_000, completion_tokens: 100 };
const answered = { answer: "Yes.", model: "m-1", usage } satisfies Finished;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("model_calls");
});
afterAll(() => stage.close());

const callsFor = (leaseMs: number) => createModelCalls(stage.database, { leaseMs, prices: PRICES });
const newCall = (changes: Partial<Call> = {}): Call => ({
  id: newQuestion().id,
  round: 1,
  attempt: 1,
  purpose: "answer",
  model: "m",
  prompt_version: "p-1",
  ...changes,
});
const rowOf = async ({ id, attempt }: Call) => {
  const [row] =
    await stage.sql`select * from model_call where question_hash = ${id} and attempt = ${attempt}`;
  return row;
};
const tokenOf = async (begun: Promise<{ kind: string; token?: string }>) => (await begun).token ?? "none";

describe("a model call", () => {
  test("has one caller among a hundred at once", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    const begun = await Promise.all(Array.from({ length: 100 }, () => calls.begin(call)));
    expect(begun.filter(({ kind }) => kind === "mine")).toHaveLength(1);
    expect(begun.filter(({ kind }) => kind === "busy")).toHaveLength(99);
    expect(await rowOf(call)).toMatchObject({ calls: 1, finished_at: null });
  });

  test("is found by whoever comes after its end, with answer, usage and price", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    await calls.finish(call, await tokenOf(calls.begin(call)), answered);
    expect(await calls.begin(call)).toEqual({ kind: "finished", finished: answered });
    expect(await rowOf(call)).toMatchObject({
      calls: 1,
      answer: "Yes.",
      model: "m",
      answered_by: "m-1",
      prompt_version: "p-1",
      prompt_tokens: 1_000,
      completion_tokens: 100,
      price: 0.0007,
    });
  });

  test("that failed is found with its failure", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    const failed = { error_type: "timeout", error: "too late\u0000" };
    await calls.finish(call, await tokenOf(calls.begin(call)), failed);
    expect(await calls.begin(call)).toMatchObject({
      kind: "finished",
      finished: { error_type: "timeout", error: "too late\uFFFD" },
    });
    expect(await rowOf(call)).toMatchObject({ price: null });
  });

  test("whose process died is made again when its time is over, and that is counted", async () => {
    const call = newCall();
    const calls = callsFor(-1);
    await calls.begin(call);
    expect(await calls.begin(call)).toMatchObject({ kind: "mine" });
    expect(await rowOf(call)).toMatchObject({ calls: 2 });
  });

  test("has one end: whoever writes second gets the first one's answer", async () => {
    const call = newCall();
    const calls = callsFor(-1);
    const first = await tokenOf(calls.begin(call));
    const second = await tokenOf(calls.begin(call));
    expect(await calls.finish(call, first, answered)).toEqual(answered);
    expect(await calls.finish(call, second, { ...answered, answer: "No." })).toEqual(answered);
  });

  test("that is given back may be made by another at once; one that nobody took does not count", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    await calls.giveBack(call, await tokenOf(calls.begin(call)), "unasked");
    expect(await rowOf(call)).toMatchObject({ calls: 0 });
    await calls.giveBack(call, await tokenOf(calls.begin(call)), { usage: undefined });
    const token = await tokenOf(calls.begin(call));
    expect(await rowOf(call)).toMatchObject({ calls: 2 });
    // Another one's token gives nothing back.
    await calls.giveBack(call, "other", { usage });
    expect(await calls.begin(call)).toMatchObject({ kind: "busy" });
    await calls.finish(call, token, answered);
    await calls.giveBack(call, token, { usage });
    expect(await calls.begin(call)).toMatchObject({ kind: "finished" });
  });

  test("of another attempt, round or purpose is another call", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    for (const change of [{}, { attempt: 2 }, { round: 2 }, { purpose: "judge" }] as const) {
      expect(await calls.begin({ ...call, ...change })).toMatchObject({ kind: "mine" });
    }
  });
});

describe("the cost", () => {
  test("of a call counts what tries that brought nothing have used", async () => {
    const call = newCall();
    const calls = callsFor(60_000);
    for (const spent of [{ usage }, "unasked", { usage: undefined }] as const)
      await calls.giveBack(call, await tokenOf(calls.begin(call)), spent);
    await calls.finish(call, await tokenOf(calls.begin(call)), answered);
    expect(await rowOf(call)).toMatchObject({
      calls: 3,
      prompt_tokens: 2 * usage.prompt_tokens,
      completion_tokens: 2 * usage.completion_tokens,
    });
    const once = newCall();
    await calls.finish(once, await tokenOf(calls.begin(once)), answered);
    const [twice, one] = [await rowOf(call), await rowOf(once)];
    expect(Number(twice?.["price"])).toBeCloseTo(2 * Number(one?.["price"]), 10);
  });

  test("of an accepted answer counts all that its round has used", async () => {
    const calls = callsFor(60_000);
    const call = newCall();
    const steps: readonly (readonly [Partial<Call>, Finished])[] = [
      [{ attempt: 1 }, { error_type: "bad_output", error: "cut off", usage }],
      [{ attempt: 2 }, answered],
      [
        { attempt: 2, purpose: "judge" },
        { judgement: { score: 9 }, model: "m-1", usage },
      ],
    ];
    for (const [change, finished] of steps) {
      const each = { ...call, ...change };
      await calls.finish(each, await tokenOf(calls.begin(each)), finished);
    }
    await stage.repository.storeResult(resultFor(call.id, { rubric_hash: "0123456789ab" }));
    const [row] = await stage.sql`select * from cost_per_answer where question_hash = ${call.id}`;
    expect(row).toMatchObject({ accepted: true, calls: "3", prompt_tokens: "3000" });
    expect(Number(row?.["price"])).toBeCloseTo(0.0021, 10);
    const [stored] = await stage.sql`select rubric_hash from response_event where question_hash = ${call.id}`;
    expect(stored).toEqual({ rubric_hash: "0123456789ab" });
  });

  test("is told per day and per model, failures and repeats among it", async () => {
    const calls = callsFor(-1);
    const call = newCall({ model: "dear" });
    await calls.begin(call);
    await calls.finish(call, await tokenOf(calls.begin(call)), answered);
    const failing = newCall({ model: "dear" });
    await calls.finish(failing, await tokenOf(calls.begin(failing)), { error_type: "refused", error: "no" });
    const [day] = await stage.sql`select *, day = date_trunc('day', now() at time zone 'UTC') as today
                                    from cost_per_day where model = 'dear'`;
    expect(day).toMatchObject({ purpose: "answer", calls: "3", failed: "1", price: 0.0007, today: true });
    const [model] = await stage.sql`select * from cost_per_model where model = 'dear'`;
    expect(model).toMatchObject({ calls: "3", failed: "1", repeated: "1", completion_tokens: "100" });
  });
});
