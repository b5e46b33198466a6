/**
 * The way past a fence: a message runs now, waits behind it, or is through already.
 *
 * In: a task, a fence. Out: the task as it may run, or null. Never here: the order at a fence (the store's), what is fenced (fence.ts).
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { pause } from "../ground/clock.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import { readEnvelope, withoutPlace } from "./envelope.ts";
import type { Fence } from "./fence.ts";
import { unavailablePauseMs } from "./limits.ts";
import type { Task } from "./partition.ts";
import { patienceOf, persist } from "./persist.ts";

type AdmissionOptions = Pick<ConsumerOptions, "clock" | "random" | "log" | "handler">;

/**
 * @returns the task as it may run; `settled` where it waits at the fence now or is through already; `left` where its partition ended.
 * @throws CauceError `aborted` when the partition ends
 */
export async function admit(
  task: Task,
  fence: Fence,
  options: AdmissionOptions,
): Promise<Task | "settled" | "left"> {
  const { record, partition } = task;
  const envelope = readEnvelope(record);
  for (let tries = 1; ; tries++) {
    const admission = await persist(
      async () => fence.admit(record, envelope),
      patienceOf(options, partition.signal),
    );
    switch (admission) {
      case "run":
        return task;
      case "without_place":
        return { ...task, record: standingNowhere(record) };
      case "elsewhere":
        return "settled";
      case "full":
        if (!(await waitForRoom(task, tries, options))) return "left";
    }
  }
}

/** More of its key wait than may: its partition waits too. @returns whether to go on. */
async function waitForRoom(
  { partition, record }: Task,
  tries: number,
  options: AdmissionOptions,
): Promise<boolean> {
  const { clock, log, handler } = options;
  if (tries === 1)
    log.warn("too many messages wait at a fence; their partition waits too", {
      handler: handler.name,
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
    });
  await pause(clock, unavailablePauseMs(tries), partition.signal);
  return partition.active;
}

/** Field by field: those of a batch are getters, which a spread would lose. */
function standingNowhere(record: IncomingRecord): IncomingRecord {
  const { topic, partition, offset, timestampMs, key, value, headers } = record;
  return { topic, partition, offset, timestampMs, key, value, headers: withoutPlace(headers) };
}
