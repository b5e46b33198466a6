import { describe, expect, test } from "bun:test";
import { systemClock, type Clock } from "../ground/clock.ts";
import { ERROR, type TopicAnswer } from "../kafka/index.ts";
import type { TopicPlan } from "./bus.ts";
import { ensureTopics } from "./kafka-topics.ts";

const plan: TopicPlan = { name: "t", partitions: 3, provision: "create" };
/** A clock whose waits are over at once, and that says how long they were. */
function quickClock(): Clock {
  let nowMs = 0;
  return {
    ...systemClock,
    monotonicMs: () => nowMs,
    after(delayMs, call) {
      nowMs += delayMs;
      queueMicrotask(call);
      return () => undefined;
    },
  };
}

/** Brokers that know of the topic from the `knownAt`-th look on. */
function brokers({ knownAt, partitions }: { knownAt: number; partitions: number }) {
  let looks = 0;
  return {
    looks: () => looks,
    describeTopics(names: readonly string[]) {
      looks++;
      const err = looks >= knownAt ? ERROR.none : ERROR.unknownTopicOrPartition;
      const detail = err === ERROR.none ? "" : "unknown";
      return Promise.resolve(
        names.map((name) => ({ name, err, detail, partitions: err === ERROR.none ? partitions : 0 })),
      );
    },
  };
}

function answering(code: number) {
  return (plans: readonly TopicPlan[]) =>
    Promise.resolve(plans.map(({ name }): TopicAnswer => ({ name, err: code, detail: "" })));
}

describe("a topic that is made", () => {
  test("is there for whoever looks next: its making waits until the brokers know of it", async () => {
    const admin = brokers({ knownAt: 4, partitions: 3 });
    const create = answering(ERROR.none);
    const reports = await ensureTopics({ plans: [plan], admin, create, clock: quickClock() });
    expect(reports).toEqual([{ name: "t", state: "created", partitions: 3 }]);
    expect(admin.looks()).toBe(4);
  });

  test("by another process meanwhile is reported with its own partitions", async () => {
    const admin = brokers({ knownAt: 3, partitions: 7 });
    const create = answering(ERROR.topicExists);
    const reports = await ensureTopics({ plans: [plan], admin, create, clock: quickClock() });
    expect(reports).toEqual([{ name: "t", state: "present", partitions: 7 }]);
  });

  test("is waited for so long and no longer", async () => {
    const admin = brokers({ knownAt: Infinity, partitions: 0 });
    const create = answering(ERROR.topicExists);
    const reports = await ensureTopics({ plans: [plan], admin, create, clock: quickClock() });
    expect(reports).toEqual([{ name: "t", state: "present" }]);
  });
});

test("a topic that is there costs one look", async () => {
  const admin = brokers({ knownAt: 1, partitions: 5 });
  const create = answering(ERROR.none);
  const plans: TopicPlan[] = [plan, { ...plan, provision: "verify" }, { ...plan, provision: "none" }];
  const reports = await ensureTopics({ plans, admin, create, clock: quickClock() });
  expect(reports.map(({ state, partitions }) => [state, partitions])).toEqual([
    ["present", 5],
    ["present", 5],
    ["unchecked", undefined],
  ]);
  expect(admin.looks()).toBe(1);
});
