import { expect, test } from "bun:test";
import { Turns } from "./turns.ts";

function runnerThat() {
  const runner = {
    runs: true,
    pause: () => void (runner.runs = false),
    resume: () => void (runner.runs = true),
  };
  return runner;
}

test("one runs at a time, each in its turn, and who is left runs alone", () => {
  const turns = new Turns();
  const [first, second] = [runnerThat(), runnerThat()];
  const running = () => [first.runs, second.runs];
  const firstEnds = turns.enter(first);
  turns.next();
  expect(first.runs).toBe(true);
  const secondEnds = turns.enter(second);
  expect(running()).toEqual([true, false]);
  turns.next();
  expect(running()).toEqual([false, true]);
  turns.next();
  expect(running()).toEqual([true, false]);
  firstEnds();
  expect(second.runs).toBe(true);
  turns.next();
  expect(second.runs).toBe(true);
  secondEnds();
});
