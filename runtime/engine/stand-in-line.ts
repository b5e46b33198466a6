/**
 * A message whose turn is later, as a row that brings it back to its handler then, with its place in line and nothing spent.
 *
 * In: a task, when, its place. Out: an answer to be settled. Pure. Never here: whose turn it is (turn-gate.ts).
 */
import type { Settling } from "./carry-out.ts";
import { outcomeOf } from "./conclude.ts";
import { readEnvelope, withTicket } from "./envelope.ts";
import type { Task } from "./partition.ts";
import { concluded, type Processing } from "./process.ts";
import type { Verdict } from "./retry.ts";
import type { Postponed } from "./turn-gate.ts";

export function standInLine(
  task: Task,
  { delayMs, ticket, value }: Postponed,
  processing: Processing,
): Settling {
  const { record } = task;
  const envelope = readEnvelope(record);
  const { attempts, deferrals } = envelope;
  const verdict: Verdict = { kind: "retry", delayMs, attempts, deferrals, reason: "limit", error: "" };
  const outcome = outcomeOf(verdict, record, envelope, processing);
  if (outcome.kind !== "retry") throw new Error("a retry's verdict came out as something else");
  const { schedule } = outcome;
  const headers = withTicket(schedule.record.headers, ticket);
  const waiting = { ...outcome, schedule: { ...schedule, record: { ...schedule.record, headers } } };
  const processed = concluded({ envelope, value, processing }, waiting, verdict);
  const startedMs = processing.clock.monotonicMs();
  return { task, processed, outcome: waiting, startedMs, partition: task.partition, waiter: null };
}
