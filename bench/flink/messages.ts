/**
 * Answers to be scored, each with the ids under which its result can come.
 *
 * In: how many. Out: records of `llm.generated`, all different; their attempts are spent, so that each ends in one record.
 */
import { questionOf, chanceOf } from "../../deploy/flink/equivalence/questions.ts";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { deriveId } from "../../runtime/engine/envelope.ts";
import { generated } from "../../schema/topics.ts";

export interface AnsweredMessage {
  readonly record: OutgoingRecord;
  /** One of them is the id of what follows. */
  readonly outputIds: readonly string[];
}

const utf8 = new TextEncoder();

export function answeredMessages(count: number): readonly AnsweredMessage[] {
  const chance = chanceOf(count);
  return Array.from({ length: count }, () => {
    const id = crypto.randomUUID().replaceAll("-", "");
    const value = { id, ...questionOf(chance), attempts: 5, round: 1, deferrals: 0, model: "measured" };
    const messageId = crypto.randomUUID().replaceAll("-", "");
    return {
      record: {
        topic: generated.name,
        key: utf8.encode(id),
        value: utf8.encode(JSON.stringify(value)),
        headers: [["ce_id", utf8.encode(messageId)]],
      },
      outputIds: ["validated", "requests"].map((output) => deriveId(messageId, output, 0)),
    };
  });
}
