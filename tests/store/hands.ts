/**
 * A person at psql, or another program: rows that are written, edited and cancelled by plain SQL.
 */
import type postgres from "postgres";
import { bytesColumn } from "../../runtime/store/columns.ts";
import type { ScheduledMessage } from "../../runtime/store/store.ts";

/** Inserts a message that nobody has checked. */
export async function writeByHand(sql: postgres.ISql, app: string, message: ScheduledMessage): Promise<void> {
  const { handler, messageId, delivery, kind, record, version = null, delayMs, bornAtMs } = message;
  const names = bytesColumn(record.headers.map(([name]) => Buffer.from(name)));
  const values = bytesColumn(record.headers.map(([, value]) => value));
  await sql`
    WITH row AS (
      INSERT INTO cauce.scheduled (
        app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, version, born_at, due_at, unchecked
      ) VALUES (
        ${app}, ${handler}, ${messageId}, ${delivery}, ${kind}, ${record.topic}, ${record.key && Buffer.from(record.key)},
        ${record.value && Buffer.from(record.value)}, ${names}::text::bytea[], ${values}::text::bytea[], ${version},
        to_timestamp(${bornAtMs}::float8 / 1000), now() + ${delayMs} * interval '1 ms', true
      ) RETURNING id
    )
    INSERT INTO cauce.schedule_key (app, handler, message_key, delivery, row_id)
    SELECT ${app}, ${handler}, ${messageId}, ${delivery}, id FROM row`;
}

/** Gives a waiting or a parked message another value; a parked one waits again, as it is tried again. */
export async function editByHand(
  sql: postgres.Sql,
  app: string,
  messageId: string,
  value: string,
): Promise<void> {
  const edited = await sql`
    UPDATE cauce.schedule SET value_text = ${value} WHERE app = ${app} AND message_id = ${messageId} RETURNING 1`;
  if (edited.length !== 1) throw new Error(`${messageId} is not there`);
}

/** Cancels a message, wherever it waits. */
export async function cancelByHand(sql: postgres.Sql, app: string, messageId: string): Promise<void> {
  await sql`DELETE FROM cauce.schedule WHERE app = ${app} AND message_id = ${messageId}`;
}
