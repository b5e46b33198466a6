import { expect, test } from "bun:test";
import { Lanes } from "./lanes.ts";

/** Runs tasks that end when told to, and notes what ran. */
function stage(concurrency: number) {
  const running = new Map<string, () => void>();
  const started: string[] = [];
  const lanes = new Lanes<string>({
    concurrency,
    run: (task) => {
      started.push(task);
      return new Promise((resolve) => running.set(task, resolve));
    },
  });
  const end = async (task: string) => {
    running.get(task)?.();
    running.delete(task);
    await new Promise(setImmediate);
  };
  return { lanes, started, end };
}

test("runs the tasks of one lane one at a time and in order", async () => {
  const { lanes, started, end } = stage(10);
  for (const task of ["a1", "a2", "a3"]) lanes.push("a", task);
  expect(started).toEqual(["a1"]);
  await end("a1");
  await end("a2");
  expect(started).toEqual(["a1", "a2", "a3"]);
});

test("runs different lanes beside each other, and tasks without a lane freely", () => {
  const { lanes, started } = stage(10);
  lanes.push("a", "a1");
  lanes.push("b", "b1");
  lanes.push(null, "x");
  lanes.push(null, "y");
  expect(started).toEqual(["a1", "b1", "x", "y"]);
});

test("never runs more than its concurrency, and goes on with the oldest that may run", async () => {
  const { lanes, started, end } = stage(2);
  lanes.push("a", "a1");
  lanes.push("a", "a2");
  lanes.push("b", "b1");
  lanes.push("c", "c1");
  expect(started).toEqual(["a1", "b1"]);
  await end("a1");
  expect(started).toEqual(["a1", "b1", "c1"]);
  await end("b1");
  expect(started).toEqual(["a1", "b1", "c1", "a2"]);
  expect(lanes.running).toBe(2);
});

test("starts nothing while the gate is closed and everything after it opens", () => {
  const { lanes, started } = stage(2);
  lanes.gate(false);
  lanes.push("a", "a1");
  expect(started).toEqual([]);
  lanes.gate(true);
  expect(started).toEqual(["a1"]);
});
