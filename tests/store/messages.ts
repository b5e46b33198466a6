/** Messages and dead letters for tests of the store: everything has a default, say only what matters. */
import type { DeadLetter, ScheduledMessage } from "../../runtime/store/store.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export function message(
  given: Partial<ScheduledMessage> & { readonly messageId: string; readonly topic?: string },
): ScheduledMessage {
  const { topic = "t", ...rest } = given;
  return {
    handler: "h",
    delivery: 0,
    record: {
      topic,
      key: bytes("k"),
      value: bytes(`{"id":${JSON.stringify(given.messageId)}}`),
      headers: [],
    },
    kind: "retry",
    reason: "timeout",
    error: "",
    attempts: 1,
    deferrals: 0,
    delayMs: 0,
    bornAtMs: 1_700_000_000_000,
    ...rest,
  };
}

export function letter(given: Partial<DeadLetter> & { readonly messageId: string }): DeadLetter {
  return {
    handler: "h",
    delivery: 0,
    record: { topic: "t", key: bytes("k"), value: bytes("v"), headers: [["ce_id", bytes(given.messageId)]] },
    partition: 0,
    offset: 12,
    cause: "undecodable",
    error: "no JSON",
    attempts: 5,
    deferrals: 0,
    ...given,
  };
}
