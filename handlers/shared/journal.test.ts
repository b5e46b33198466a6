import { describe, expect, test } from "bun:test";
import { pause, systemClock, type Log } from "cauce";
import { createJournal } from "./journal.ts";
import type { QuestionStep } from "./storage/steps.ts";

const step = (round: number): QuestionStep => ({ id: "a", round, step: "generating", atMs: 0, detail: {} });
const steps = (count: number) => Array.from({ length: count }, (_, round) => step(round));
const log = { warn() {} } as unknown as Log;

/** A clock whose timers ring when they are told to. */
function bell() {
  const calls = new Set<() => void>();
  return {
    after(_delayMs: number, call: () => void) {
      calls.add(call);
      return () => void calls.delete(call);
    },
    ring() {
      for (const call of calls) {
        calls.delete(call);
        call();
      }
    },
    get armed() {
      return calls.size;
    },
  };
}

describe("the journal", () => {
  test("writes what came within a moment as one batch, in order", async () => {
    const batches: (readonly QuestionStep[])[] = [];
    const clock = bell();
    const journal = createJournal({ write: async (batch) => void batches.push(batch), clock, log });
    journal.note([step(1)]);
    journal.note([step(2), step(3)]);
    expect(clock.armed).toBe(1);
    clock.ring();
    await journal.close();
    expect(batches.map((batch) => batch.map(({ round }) => round))).toEqual([[1, 2, 3]]);
  });

  test("keeps a bounded number while the database is slow: the oldest go, and are counted", async () => {
    const written: QuestionStep[] = [];
    const journal = createJournal({
      write: async (batch) => void written.push(...batch),
      clock: bell(),
      log,
      capacity: 10,
    });
    journal.note(steps(25));
    expect(journal.lost).toBe(15);
    await journal.close();
    expect(written.map(({ round }) => round)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  });

  test("counts what could not be written and goes on", async () => {
    let broken = true;
    const written: QuestionStep[] = [];
    const clock = bell();
    const write = async (batch: readonly QuestionStep[]) => {
      if (broken) throw new Error("down");
      written.push(...batch);
    };
    const journal = createJournal({ write, clock, log });
    journal.note(steps(3));
    clock.ring();
    await pause(systemClock, 0);
    broken = false;
    journal.note([step(7)]);
    await journal.close();
    expect(journal.lost).toBe(3);
    expect(written.map(({ round }) => round)).toEqual([7]);
  });

  test("splits a large heap into batches and leaves no timer behind", async () => {
    const sizes: number[] = [];
    const clock = bell();
    const journal = createJournal({ write: async (batch) => void sizes.push(batch.length), clock, log });
    journal.note(steps(1_200));
    await journal.close();
    expect(sizes).toEqual([500, 500, 200]);
    expect(clock.armed).toBe(0);
  });
});
