/**
 * The load self-test: does this library lay out messages where we read them?
 *
 * In: a library and a crossing. Out: nothing, or `library_unusable`. Two records are produced by a client that knows no
 * broker, purged, and read back from their delivery reports: 2 ms, no network. Never here: a broker.
 */
import { CauceError } from "../ground/errors.ts";
import { destroyClient, EVENT, newClient } from "./client.ts";
import type { Crossing } from "./crossing.ts";
import { AnswerBook, type Answers } from "./answers.ts";
import { OutgoingTable } from "./outgoing.ts";
import { ERROR, PERSISTED } from "./failures.ts";
import { ANSWERS } from "./layout.ts";
import {
  type Address,
  cString,
  type Library,
  MESSAGE,
  readAddress,
  readI32,
  readI64,
  scratch,
  text,
} from "./symbols.ts";

/** @throws CauceError `library_unusable` where what comes back is not what was sent */
export function assertMessageLayout(library: Library, crossing: Crossing): void {
  const { native } = library;
  const client = newClient(library, "producer", { "client.id": "cauce-self-test", "log.queue": true });
  native.rd_kafka_set_log_queue(client, null);
  const topic = native.rd_kafka_topic_new(client, cString(TOPIC), null) ?? 0;
  const queue = native.rd_kafka_queue_get_main(client) ?? 0;
  try {
    const record = { topic: TOPIC, key: KEY, value: VALUE, headers: [["h", KEY]] } as const;
    const table = new OutgoingTable(2);
    table.write([record, record], 0, { records: 2, bytes: Infinity }, () => topic);
    const answers = new AnswerBook().open(2);
    const { taken } = crossing.produce(client, table, 2, answers);
    native.rd_kafka_purge(client, PURGE_ALL);
    const right = taken === 2 && readBack(library, crossing, { queue, answers });
    if (!right) {
      throw new CauceError(
        "library_unusable",
        `${library.path} (librdkafka ${library.version}) lays out rd_kafka_message_t in a way that Cauce does not know`,
      );
    }
  } finally {
    native.rd_kafka_queue_destroy(queue);
    native.rd_kafka_topic_destroy(topic);
    destroyClient(library, client);
  }
}

interface Sent {
  readonly queue: Address;
  readonly answers: Answers;
}

function readBack(library: Library, crossing: Crossing, { queue, answers }: Sent): boolean {
  const { native } = library;
  const until = performance.now() + LONGEST_MS;
  while (performance.now() < until) {
    const event = native.rd_kafka_queue_poll(queue, POLL_MS);
    if (!event) continue;
    try {
      if (native.rd_kafka_event_type(event) === EVENT.deliveries)
        return isOurs(library, crossing, event, answers);
    } finally {
      native.rd_kafka_event_destroy(event);
    }
  }
  return false;
}

/** The first message is read where we believe its fields to be, all that are there by the crossing. */
function isOurs(library: Library, crossing: Crossing, event: Address, answers: Answers): boolean {
  const { native } = library;
  const pointers = scratch(8);
  if (native.rd_kafka_event_message_array(event, pointers.address, 1) !== 1) return false;
  const message = Number(pointers.view.getBigUint64(0, true));
  const fieldsRight =
    readI32(message, MESSAGE.err) === ERROR.purgedFromQueue &&
    Number(readI64(message, MESSAGE.keyLength)) === KEY.byteLength &&
    Number(readI64(message, MESSAGE.payloadLength)) === VALUE.byteLength &&
    readAddress(message, MESSAGE.opaque) === answers.address + ANSWERS.size &&
    readI32(readAddress(message, MESSAGE.key), 0) === KEY_WORD &&
    readI32(readAddress(message, MESSAGE.payload), 0) === VALUE_WORD &&
    text(native.rd_kafka_topic_name(readAddress(message, MESSAGE.topic))) === TOPIC;
  if (!fieldsRight) return false;
  const complete = crossing.deliveries(event, () => answers);
  const [refusal] = answers.refusals(2);
  return (
    answers.failed + answers.unanswered === 2 &&
    (answers.unanswered === 0) === complete.includes(answers.id) &&
    refusal?.err === ERROR.purgedFromQueue &&
    refusal.persisted === PERSISTED.no
  );
}

const TOPIC = "cauce-self-test";
const KEY = Uint8Array.of(1, 2, 3, 4);
const KEY_WORD = 0x04_03_02_01;
const VALUE = Uint8Array.of(5, 6, 7, 8, 9);
const VALUE_WORD = 0x08_07_06_05;
const PURGE_ALL = 0x1 | 0x2;
const POLL_MS = 10;
const LONGEST_MS = 2_000;
