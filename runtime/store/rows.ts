/**
 * Messages as the columns of a batch, and claimed rows as messages again.
 *
 * In: what message.ts declares. Out: parameters of sql/insert.sql, sql/bury.sql and sql/park.sql, in their order.
 * Numbers that come from foreign headers are clamped to what the columns hold; bytes are never touched.
 */
import { LONGEST_DURATION_MS } from "../ground/duration.ts";
import { bytesColumn, headerColumns, numberColumn, readHeaders, textColumn } from "./columns.ts";
import type { Parameter } from "./connection.ts";
import { STORE_LIMITS } from "./limits.ts";
import type {
  DeadLetter,
  DueMessage,
  Misfit,
  ScheduledMessage,
  ScheduleKey,
  TopicVersions,
} from "./message.ts";
import { keptText, keyText, originalText, shownText } from "./text.ts";

/** A row of sql/claim.sql. */
export interface ClaimedRow {
  readonly id: string;
  readonly handler: string;
  readonly message_id: string;
  readonly delivery: number;
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly header_names: string;
  readonly header_values: string;
  readonly attempts: number;
  readonly deferrals: number;
  readonly fence: string | null;
  readonly turn: string | null;
  readonly version: number | null;
  readonly due_s: number;
  /** Null for what the runtime wrote. */
  readonly by_hand_born_at_ms: number | null;
}

/** @param nowMs What the database's clock says, in ms since 1970. */
export function dueMessage(row: ClaimedRow, nowMs: number): DueMessage {
  return {
    row: BigInt(row.id),
    handler: row.handler,
    messageId: originalText(row.message_id),
    delivery: row.delivery,
    record: {
      topic: row.topic,
      key: row.key,
      value: row.value,
      headers: readHeaders(row.header_names, row.header_values),
    },
    attempts: row.attempts,
    deferrals: row.deferrals,
    lateMs: Math.max(0, nowMs - row.due_s * 1_000),
    ...(row.fence !== null && { place: { fence: row.fence, turn: Number(row.turn) } }),
    ...(row.by_hand_born_at_ms !== null && {
      byHand: { bornAtMs: row.by_hand_born_at_ms, version: row.version },
    }),
  };
}

/** Parameters of sql/insert.sql after the app. */
export function scheduleColumns(messages: readonly ScheduledMessage[]): Parameter[] {
  return [
    ...messageColumns(messages),
    numberColumn(messages.map(({ place }) => place?.fence ?? null)),
    numberColumn(messages.map(({ place }) => place?.turn ?? null)),
    versionColumn(messages),
  ];
}

/** Parameters of sql/stand-at-fence.sql after the app. */
export function standingColumns(messages: readonly ScheduledMessage[]): Parameter[] {
  return [...messageColumns(messages), versionColumn(messages)];
}

/** What every statement that writes messages begins with. */
export function messageColumns(messages: readonly ScheduledMessage[]): Parameter[] {
  return [
    textColumn(messages.map(({ handler }) => keptText(handler))),
    textColumn(messages.map(({ messageId }) => keptText(messageId))),
    textColumn(messages.map(({ messageId }) => keyText(messageId))),
    numberColumn(messages.map(({ delivery }) => count(delivery))),
    textColumn(messages.map(({ kind }) => kind)),
    ...recordColumns(messages),
    textColumn(messages.map(({ reason }) => shownText(reason, STORE_LIMITS.reasonLength))),
    textColumn(messages.map(({ error }) => shownText(error, STORE_LIMITS.errorLength))),
    numberColumn(messages.map(({ attempts }) => count(attempts))),
    numberColumn(messages.map(({ deferrals }) => count(deferrals))),
    numberColumn(messages.map(({ bornAtMs }) => within(bornAtMs, LAST_STAMP_MS))),
    numberColumn(messages.map(({ delayMs }) => within(delayMs, LONGEST_DURATION_MS))),
  ];
}

function versionColumn(messages: readonly ScheduledMessage[]): Parameter {
  return numberColumn(messages.map(({ version }) => version ?? null));
}

/** Parameters of sql/bury.sql after the app. */
export function letterColumns(letters: readonly DeadLetter[]): Parameter[] {
  const [topics, ...bytes] = recordColumns(letters);
  return [
    textColumn(letters.map(({ handler }) => keptText(handler))),
    textColumn(letters.map(({ messageId }) => keyText(messageId))),
    numberColumn(letters.map(({ delivery }) => count(delivery))),
    topics,
    numberColumn(letters.map(({ partition }) => partition)),
    numberColumn(letters.map(({ offset }) => offset)),
    ...bytes,
    textColumn(letters.map(({ cause }) => shownText(cause, STORE_LIMITS.reasonLength))),
    textColumn(letters.map(({ error }) => shownText(error, STORE_LIMITS.errorLength))),
    numberColumn(letters.map(({ attempts }) => count(attempts))),
    numberColumn(letters.map(({ deferrals }) => count(deferrals))),
  ];
}

/** Parameters of sql/park.sql. */
export function misfitColumns(misfits: readonly Misfit[]): Parameter[] {
  return [
    numberColumn(misfits.map(({ due }) => String(due.row))),
    textColumn(misfits.map(({ problem }) => shownText(problem, STORE_LIMITS.errorLength))),
  ];
}

/** Parameters of sql/claim.sql and sql/next-due.sql: topics, and the highest version of each; null for any. */
export function topicColumns(
  topics: readonly string[],
  versions: TopicVersions | undefined,
): readonly [names: string, versions: string] {
  return [textColumn(topics), numberColumn(topics.map((topic) => versions?.get(topic) ?? null))];
}

/** Each key once; the first one wins. */
export function distinct<Keyed extends ScheduleKey>(items: readonly Keyed[]): readonly Keyed[] {
  if (items.length < 2) return items;
  const byKey = new Map<string, Keyed>();
  for (const item of items) {
    const key = identityOf(item);
    if (!byKey.has(key)) byKey.set(key, item);
  }
  return [...byKey.values()];
}

/** One string for a key: no two keys share it. */
export function identityOf({ handler, messageId, delivery }: ScheduleKey): string {
  return JSON.stringify([handler, messageId, count(delivery)]);
}

function recordColumns(
  items: readonly Pick<ScheduledMessage, "record">[],
): readonly [topics: string, keys: string, values: string, names: string, headerValues: string] {
  const records = items.map(({ record }) => record);
  return [
    textColumn(records.map(({ topic }) => topic)),
    bytesColumn(records.map(({ key }) => key)),
    bytesColumn(records.map(({ value }) => value)),
    ...headerColumns(records.map(({ headers }) => headers)),
  ];
}

const LARGEST_INTEGER = 2_147_483_647;
/** The end of the year 9999. */
const LAST_STAMP_MS = 253_402_300_799_999;

function count(value: number): number {
  return Math.trunc(within(value, LARGEST_INTEGER));
}

function within(value: number, largest: number): number {
  return Number.isNaN(value) ? 0 : Math.min(Math.max(0, value), largest);
}
