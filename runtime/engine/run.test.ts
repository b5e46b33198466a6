import { expect, test } from "bun:test";
import { systemClock } from "../ground/clock.ts";
import { Deadlines } from "./deadlines.ts";
import { Run } from "./run.ts";

function place(timeoutMs = 60_000) {
  const deadlines = new Deadlines({ clock: systemClock, afterMs: timeoutMs });
  const interruption = { interrupted: false, onInterrupt: new Set<() => void>() };
  return { deadlines, interruption, run: new Run({ deadlines, handler: { timeoutMs } }, interruption) };
}

/** What a run makes of a call. */
const made = (run: Run, call: () => unknown) => run.of({ handle: call }, null, null);

/** How a call of `of` ends, at once or later. */
const endOf = async (of: () => unknown): Promise<unknown> => {
  try {
    return await of();
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown ? thrown.code : thrown;
  }
};

test("a signal that is read after the run is aborted, and one that is read before it aborts when the run is over", async () => {
  const { run, deadlines } = place();
  let early: AbortSignal | null = null;
  await made(run, () => {
    early = run.signal;
    expect(early.aborted).toBe(false);
  });
  expect(early ?? new AbortController().signal).toHaveProperty("aborted", true);
  const late = place();
  await made(late.run, () => 1);
  expect(late.run.signal.aborted).toBe(true);
  deadlines.stop();
});

test("an interruption ends a run that waits, tells why by its signal, and leaves nothing behind", async () => {
  const { run, interruption, deadlines } = place();
  const running = endOf(() => made(run, () => new Promise(() => undefined)));
  const { signal } = run;
  for (const call of interruption.onInterrupt) call();
  expect(await running).toBe("aborted");
  expect(signal.reason).toHaveProperty("code", "aborted");
  deadlines.stop();
});

test("nothing starts once it was interrupted", async () => {
  const { run, interruption } = place();
  let called = false;
  interruption.interrupted = true;
  expect(await endOf(() => made(run, () => (called = true)))).toBe("aborted");
  expect(called).toBe(false);
});

test("a run that is too late ends with handler_timeout, and what it does afterwards is nobody's failure", async () => {
  const { run, interruption, deadlines } = place(5);
  const { promise, reject } = Promise.withResolvers<never>();
  expect(await endOf(() => made(run, () => promise))).toBe("handler_timeout");
  expect(run.signal.reason).toHaveProperty("code", "handler_timeout");
  expect(interruption.onInterrupt.size).toBe(0);
  reject(new Error("too late to matter"));
  await new Promise(setImmediate);
  deadlines.stop();
});

test("what a handler throws or rejects with comes out as it is, at once or later, a promise of any kind", async () => {
  const failure = new Error("mine");
  const rejection = (call: () => unknown) => endOf(() => made(place().run, call));
  expect(await rejection(() => Promise.reject(failure))).toBe(failure);
  expect(
    await rejection(() => {
      throw failure;
    }),
  ).toBe(failure);
  const query = { then: (resolve: (value: number) => void) => resolve(7) }; // oxlint-disable-line unicorn/no-thenable -- a query builder is one
  expect(await made(place().run, () => query)).toBe(7);
});
