/**
 * Topics on a real broker: made where they are missing, and reported as they are.
 *
 * In: plans. Out: a report for each, in the same order. A topic is made once the controller says so, and the brokers learn of it
 * a moment later (seen under load: 70 ms); what was made is waited for, so that whoever looks next finds it.
 * Never here: a change of a topic that is there.
 */
import { pause, type Clock } from "../ground/clock.ts";
import { type Admin, ERROR, type TopicAnswer } from "../kafka/index.ts";
import type { TopicPlan, TopicReport } from "./bus.ts";

export interface EnsureTopics {
  readonly plans: readonly TopicPlan[];
  readonly admin: Pick<Admin, "describeTopics">;
  readonly create: (plans: readonly TopicPlan[]) => Promise<readonly TopicAnswer[]>;
  readonly clock: Clock;
}

/** @throws CauceError `broker` where the broker does not answer. What it refuses is in the reports. */
export async function ensureTopics({
  plans,
  admin,
  create,
  clock,
}: EnsureTopics): Promise<readonly TopicReport[]> {
  const checked = plans.filter((plan) => plan.provision !== "none");
  const found = await admin.describeTopics([...new Set(checked.map((plan) => plan.name))]);
  const counts = new Map(
    found.filter((topic) => topic.err === ERROR.none).map((topic) => [topic.name, topic.partitions]),
  );
  const missing = checked.filter((plan) => plan.provision === "create" && !counts.has(plan.name));
  const answers = new Map((await create(missing)).map((answer) => [answer.name, answer]));
  const there = missing.filter(({ name }) => isThere(answers.get(name))).map(({ name }) => name);
  for (const [name, partitions] of await known(there, { admin, clock })) counts.set(name, partitions);
  return plans.map(({ name, provision, partitions: planned }): TopicReport => {
    if (provision === "none") return { name, state: "unchecked" };
    const answer = answers.get(name);
    const partitions = counts.get(name);
    if (answer?.err === ERROR.none) return { name, state: "created", partitions: partitions ?? planned };
    if (partitions !== undefined) return { name, state: "present", partitions };
    // Another process made it between our requests, and the brokers do not tell of it yet.
    if (isThere(answer)) return { name, state: "present" };
    if (answer) return { name, state: "refused", detail: answer.detail };
    const why = found.find((topic) => topic.name === name)?.detail;
    return { name, state: "missing", ...(why === undefined ? {} : { detail: why }) };
  });
}

function isThere(answer: TopicAnswer | undefined): boolean {
  return answer?.err === ERROR.none || answer?.err === ERROR.topicExists;
}

/** The partitions of topics that are there, once the brokers know of them; without those that they do not know in time. */
async function known(
  names: readonly string[],
  { admin, clock }: Pick<EnsureTopics, "admin" | "clock">,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const untilMs = clock.monotonicMs() + KNOWN_WITHIN_MS;
  let left = [...new Set(names)];
  for (let waitMs = FIRST_LOOK_MS; left.length > 0; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    for (const { name, err, partitions } of await admin.describeTopics(left))
      if (err === ERROR.none) counts.set(name, partitions);
    left = left.filter((name) => !counts.has(name));
    if (left.length === 0 || clock.monotonicMs() > untilMs) break;
    await pause(clock, waitMs);
  }
  return counts;
}

const FIRST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 500;
const KNOWN_WITHIN_MS = 10_000;
