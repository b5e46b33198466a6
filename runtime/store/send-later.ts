/**
 * One message as a statement for somebody else's transaction.
 *
 * In: an app, a schema, a message. Out: sql/send-later.sql and its parameters, all of them text. Never here: who runs it.
 */
// oxlint-disable-next-line typescript/triple-slash-reference -- a project that has Cauce as a package learns of .sql modules only so
/// <reference path="./sql.d.ts" />
import { bytesColumn } from "./columns.ts";
import { STORE_LIMITS } from "./limits.ts";
import type { ScheduledMessage } from "./message.ts";
import sendLater from "./sql/send-later.sql" with { type: "text" };
import { checkedApp, checkedSchema, fillIn } from "./statements.ts";
import { keptText, keyText, shownText } from "./text.ts";

export interface SendingLater {
  readonly text: string;
  parametersOf(message: ScheduledMessage): (string | null)[];
}

/** @throws CauceError `config_invalid` for a name that cannot be one. */
export function sendingLater({
  app,
  schema,
}: {
  readonly app: string;
  readonly schema: string;
}): SendingLater {
  const owner = checkedApp(app);
  return {
    text: fillIn(sendLater, checkedSchema(schema)),
    parametersOf: ({ messageId, record, reason, version, bornAtMs, delayMs }) => [
      owner,
      keptText(messageId),
      keyText(messageId),
      record.topic,
      record.key?.toHex() ?? null,
      record.value?.toHex() ?? null,
      bytesColumn(record.headers.map(([name]) => Buffer.from(name))),
      bytesColumn(record.headers.map(([, value]) => value)),
      shownText(reason, STORE_LIMITS.reasonLength),
      version === undefined ? null : String(version),
      String(bornAtMs),
      String(delayMs),
    ],
  };
}
