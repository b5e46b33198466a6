import { describe, expect, test } from "bun:test";
import { CauceError, Unavailable, type Clock } from "cauce";
import { callsInMemory } from "../given-deps.ts";
import { BadOutput, type ModelError, ModelTimeout, Overloaded, RateLimited, Refused } from "./model.ts";
import { payOnce, type Call, type Calls } from "./pay-once.ts";

const call: Call = { id: "q", round: 1, attempt: 1, purpose: "answer", model: "m", prompt_version: "p" };
const usage = { prompt_tokens: 1, completion_tokens: 2 };
const NEVER = new AbortController().signal;
/** Time in which every wait is over at once. */
const clock: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  after: (_, over) => {
    queueMicrotask(over);
    return () => undefined;
  },
};

function asking(calls: Calls, reply: string | Error, signal = NEVER) {
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    run: () =>
      payOnce({
        calls,
        call,
        signal,
        clock,
        ask: () => {
          asked++;
          return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
        },
        write: (answer) => ({ answer, model: "m-1", usage }),
        read: ({ answer = "" }) => answer,
        ends: ({ error_type }) => error_type !== "rate_limit",
      }),
  };
}
const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (thrown: unknown) => thrown,
  );

describe("a call that is paid once", () => {
  test("asks once, however often it comes again", async () => {
    const first = asking(callsInMemory(), "42");
    expect([await first.run(), await first.run(), await first.run()]).toEqual(["42", "42", "42"]);
    expect(first.asked).toBe(1);
  });

  test.each([
    new ModelTimeout("late"),
    new BadOutput("junk", usage),
    new Refused("no"),
    new Overloaded("busy"),
  ])("finds a failure that was an attempt again, as the same kind: %p", async (failure) => {
    const failing = asking(callsInMemory(), failure);
    for (let time = 0; time < 2; time++) {
      const thrown = await thrownBy(failing.run());
      expect(thrown).toBeInstanceOf(failure.constructor);
      expect((thrown as ModelError).message).toBe(failure.message);
    }
    expect(failing.asked).toBe(1);
  });

  test("asks again after a failure that spends no attempt", async () => {
    const limited = asking(callsInMemory(), new RateLimited("slow down", 2_000));
    expect(await thrownBy(limited.run())).toMatchObject({ retryAfterMs: 2_000 });
    await thrownBy(limited.run());
    expect(limited.asked).toBe(2);
  });

  test("asks again after it was stopped, or something else broke", async () => {
    const broken = asking(callsInMemory(), new TypeError("a defect"));
    expect(await thrownBy(broken.run())).toBeInstanceOf(TypeError);
    await thrownBy(broken.run());
    expect(broken.asked).toBe(2);
  });

  test("comes back later while another process asks, with no attempt spent", async () => {
    const calls = callsInMemory();
    await calls.begin(call);
    const second = asking(calls, "42");
    expect(await thrownBy(second.run())).toMatchObject({
      code: "retry_after",
      delayMs: 1_000,
      burns: false,
    });
    expect(second.asked).toBe(0);
  });

  test("asks nobody while calls cannot be written down", async () => {
    const away = asking(
      { ...callsInMemory(), begin: () => Promise.reject(new Unavailable("Postgres is away")) },
      "42",
    );
    expect(await thrownBy(away.run())).toMatchObject({ code: "unavailable" });
    expect(away.asked).toBe(0);
  });

  test("writes an answer down as soon as the place for it is back: it is paid already", async () => {
    const calls = callsInMemory();
    let tries = 0;
    const away = asking(
      {
        ...calls,
        finish: (...work) =>
          ++tries < 5 ? Promise.reject(new Unavailable("Postgres is away")) : calls.finish(...work),
      },
      "42",
    );
    expect(await away.run()).toBe("42");
    expect([tries, away.asked]).toEqual([5, 1]);
  });

  test("stops waiting for that place when the message is given up", async () => {
    const stop = new AbortController();
    const away = asking(
      {
        ...callsInMemory(),
        finish: () => {
          stop.abort(new CauceError("aborted", "the partition moved"));
          return Promise.reject(new Unavailable("Postgres is away"));
        },
      },
      "42",
      stop.signal,
    );
    expect(await thrownBy(away.run())).toMatchObject({ code: "aborted" });
  });

  test("sends on what is written, not what it got, where another one was first", async () => {
    const calls: Calls = {
      ...callsInMemory(),
      finish: () => Promise.resolve({ answer: "41", model: "m-1", usage }),
    };
    expect(await asking(calls, "42").run()).toBe("41");
  });
});
