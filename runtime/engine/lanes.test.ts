import { expect, test } from "bun:test";
import { type Laned, Lanes } from "./lanes.ts";

/** Runs tasks that end when told to, and notes what ran. */
function stage(concurrency: number) {
  const tasks = new Map<string, Laned>();
  const started: string[] = [];
  const lanes = new Lanes<Laned & { readonly name: string }>({
    concurrency,
    run: (task) => {
      started.push(task.name);
      tasks.set(task.name, task);
    },
  });
  const push = (lane: string | null, name: string) => lanes.push({ lane, name });
  const end = (name: string) => lanes.finished({ lane: null, ...tasks.get(name), name });
  return { lanes, started, push, end };
}

test("runs the tasks of one lane one at a time and in order", () => {
  const { started, push, end } = stage(10);
  for (const task of ["a1", "a2", "a3"]) push("a", task);
  expect(started).toEqual(["a1"]);
  end("a1");
  end("a2");
  expect(started).toEqual(["a1", "a2", "a3"]);
});

test("runs different lanes beside each other, and tasks without a lane freely", () => {
  const { started, push } = stage(10);
  push("a", "a1");
  push("b", "b1");
  push(null, "x");
  push(null, "y");
  expect(started).toEqual(["a1", "b1", "x", "y"]);
});

test("never runs more than its concurrency, and goes on with the oldest that may run", () => {
  const { lanes, started, push, end } = stage(2);
  push("a", "a1");
  push("a", "a2");
  push("b", "b1");
  push("c", "c1");
  expect(started).toEqual(["a1", "b1"]);
  end("a1");
  expect(started).toEqual(["a1", "b1", "c1"]);
  end("b1");
  expect(started).toEqual(["a1", "b1", "c1", "a2"]);
  expect(lanes.running).toBe(2);
});

test("starts nothing while the gate is closed and everything after it opens", () => {
  const { lanes, started, push } = stage(2);
  lanes.gate(false);
  push("a", "a1");
  expect(started).toEqual([]);
  lanes.gate(true);
  expect(started).toEqual(["a1"]);
});

test("a hundred thousand tasks that are over at once need no deep stack, and keep their order", () => {
  const seen: number[] = [];
  const lanes: Lanes<Laned & { readonly n: number }> = new Lanes({
    concurrency: 1,
    run: (task) => {
      seen.push(task.n);
      lanes.finished(task);
    },
  });
  lanes.gate(false);
  for (let n = 0; n < 100_000; n++) lanes.push({ lane: "a", n });
  lanes.gate(true);
  expect(seen.length).toBe(100_000);
  expect(seen.every((n, at) => n === at)).toBe(true);
  expect(lanes.running).toBe(0);
});

test("a task whose run is over makes room for another, and its lane waits until it is over itself", () => {
  const started: string[] = [];
  const lanes = new Lanes<{ lane: string; name: string }>({
    concurrency: 1,
    run: ({ name }) => started.push(name),
  });
  const [first, behind, other] = [
    { lane: "a", name: "first" },
    { lane: "a", name: "behind" },
    { lane: "b", name: "other" },
  ];
  for (const task of [first, behind, other]) lanes.push(task);
  expect(started).toEqual(["first"]);
  lanes.ran();
  expect([started, lanes.running]).toEqual([["first", "other"], 1]);
  lanes.stepBack();
  lanes.finished(first);
  expect([started, lanes.running]).toEqual([["first", "other"], 1]);
  lanes.finished(other);
  expect([started, lanes.running]).toEqual([["first", "other", "behind"], 1]);
});
