/**
 * A record as a task: how large it is, in which lane it stands, whether it must be alone.
 *
 * In: a record that was taken, its ticket. Out: a task. Pure; its envelope is read only where the handler takes batches.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { bodyBytesOf } from "../ground/body-bytes.ts";
import type { Handler } from "../handler/handler.ts";
import { readEnvelope } from "./envelope.ts";
import type { Ticket } from "./frontier.ts";
import type { HandlerNames } from "./names.ts";
import type { OwnedPartition, Task } from "./partition.ts";
import { keyOf } from "./read.ts";

interface Reader {
  readonly handler: Pick<Handler, "order" | "batch">;
  readonly names: Pick<HandlerNames, "retryTopic">;
}

export function taskOf(
  record: IncomingRecord,
  ticket: Ticket,
  partition: OwnedPartition,
  reader: Reader,
): Task {
  const key = keyOf(record);
  return {
    record,
    ticket,
    partition,
    bytes: bodyBytesOf(record),
    key,
    lane: laneOf(partition, key, reader),
    alone: failedBefore(record, reader),
    settling: false,
  };
}

/**
 * The lane also spans the retry topic: one key, one lane, whichever way its messages come. Keys that are no UTF-8 may share one,
 * which costs them time and no order.
 */
function laneOf(partition: OwnedPartition, key: string | null, { handler }: Reader): string | null {
  switch (handler.order.by) {
    case "partition":
      return partition.name;
    case "key":
      return key;
    case "none":
      return null;
  }
}

/** Such a message takes no others of its batch with it when it fails again. */
function failedBefore(record: IncomingRecord, { handler, names }: Reader): boolean {
  return handler.batch !== null && record.topic === names.retryTopic && readEnvelope(record).attempts > 0;
}
