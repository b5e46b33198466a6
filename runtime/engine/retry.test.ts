import { expect, test } from "bun:test";
import { CauceError } from "../ground/errors.ts";
import type { RetryRules } from "../handler/retry-rule.ts";
import { GiveUp, RetryAfter, Unavailable } from "../handler/steer.ts";
import { decideRetry } from "./retry.ts";

class Busy extends Error {
  constructor(readonly retryAfterMs?: number) {
    super("busy");
    this.name = "Busy";
  }
}

const rules: RetryRules = [
  [Busy, { delay: "exponential", base: "1s", cap: "10m", burns: false, jitter: 0 }],
  [Error, { delay: "linear", base: "5s", attempts: 3, jitter: 0 }],
];

function decide(
  thrown: unknown,
  counters: { attempts?: number; deferrals?: number; ageMs?: number } = {},
  random = () => 0.5,
) {
  const { attempts = 0, deferrals = 0, ageMs = 0 } = counters;
  const envelope = {
    id: "m",
    bornAtMs: 1_000_000 - ageMs,
    traceparent: null,
    attempts,
    deferrals,
    delivery: 0,
    schema: 1,
    place: null,
  };
  return decideRetry({ thrown, envelope, rules, maxAgeMs: 86_400_000, nowMs: 1_000_000, random });
}

test("the first rule whose class fits decides the delay and what it burns", () => {
  expect(decide(new Busy(), { deferrals: 3 })).toMatchObject({
    kind: "retry",
    delayMs: 8_000,
    attempts: 0,
    deferrals: 4,
  });
  expect(decide(new TypeError("x"), { attempts: 1 })).toMatchObject({
    kind: "retry",
    delayMs: 10_000,
    attempts: 2,
    deferrals: 0,
  });
});

test("an exponential delay stops at its cap, also after a thousand deferrals", () => {
  expect(decide(new Busy(), { deferrals: 1_000 })).toMatchObject({ delayMs: 600_000 });
});

test("the delay that an error asks for wins over the rule", () => {
  expect(decide(new Busy(90_000), { deferrals: 1 })).toMatchObject({ delayMs: 90_000 });
});

test("a delay that makes no sense is not obeyed", () => {
  expect(decide(new Busy(-1))).toMatchObject({ delayMs: 1_000 });
  expect(decide(new Busy(NaN))).toMatchObject({ delayMs: 1_000 });
  expect(decide(new Busy(1e99))).toMatchObject({ kind: "dead" });
});

test("a message is dead when its attempts are spent, with its last error as the cause", () => {
  expect(decide(new RangeError("boom"), { attempts: 2 })).toMatchObject({
    kind: "dead",
    cause: "RangeError",
    error: "boom",
    attempts: 3,
  });
});

test("a message that would be too old at its next try is dead and says so", () => {
  const verdict = decide(new Busy(), { ageMs: 86_400_000 });
  expect(verdict).toMatchObject({ kind: "dead", cause: "Busy" });
  expect(verdict.kind === "dead" && verdict.error).toContain("older than 1 d");
});

test("GiveUp ends a message at once, RetryAfter puts it off and burns nothing", () => {
  expect(decide(new GiveUp("no"))).toMatchObject({ kind: "dead", cause: "GiveUp", error: "no" });
  expect(decide(new RetryAfter("30s"))).toMatchObject({
    kind: "retry",
    delayMs: 30_000,
    attempts: 0,
    deferrals: 1,
  });
  expect(decide(new RetryAfter("30s", { burns: true }))).toMatchObject({ attempts: 1, deferrals: 0 });
});

test("infrastructure that is away spends nothing", () => {
  expect(decide(new Unavailable("the database is away"))).toEqual({
    kind: "unavailable",
    reason: "the database is away",
  });
});

test("jitter spreads a delay by its share and never beyond the cap", () => {
  const jittered: RetryRules = [[Error, { delay: "constant", base: "10s", cap: "11s", jitter: 0.5 }]];
  const envelope = {
    id: "m",
    bornAtMs: 0,
    traceparent: null,
    attempts: 0,
    deferrals: 0,
    delivery: 0,
    schema: 1,
    place: null,
  };
  const delay = (chance: number) => {
    const verdict = decideRetry({
      thrown: new Error("x"),
      envelope,
      rules: jittered,
      maxAgeMs: 1e9,
      nowMs: 0,
      random: () => chance,
    });
    return verdict.kind === "retry" ? verdict.delayMs : null;
  };
  expect([delay(0), delay(0.5), delay(1)]).toEqual([5_000, 10_000, 11_000]);
});

test("what is thrown and is no error is named by its type", () => {
  expect(decide("text", { attempts: 4 })).toMatchObject({ kind: "dead", cause: "string", error: "text" });
});

test("our own errors are grouped by their code", () => {
  expect(decide(new CauceError("handler_timeout", "slow"))).toMatchObject({ reason: "handler_timeout" });
});
