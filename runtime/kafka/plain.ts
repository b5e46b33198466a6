/**
 * The crossing by calls alone: one call per field, one copy per batch. Slower than the shim, with the same results.
 *
 * In: a library. Out: a `Crossing`. It is what runs where the compiler inside Bun does not (another platform, a
 * hardened kernel), and what the shim is compared with by the tests.
 */
import type { Crossing, FetchedBuffer } from "./crossing.ts";
import { MOST_RECORDS } from "./crossing.ts";
import { DELIVERY, OUTGOING, RECORD } from "./layout.ts";
import {
  type Address, addressOf, type Library, MESSAGE, readAddress, readI32, readI64, scratch, text, VALUE_UNION,
} from "./symbols.ts"; // prettier-ignore

export function plainCrossing(library: Library): Crossing {
  const { native } = library;
  const messages = scratch(MOST_RECORDS * 8);
  let deliveryMessages = scratch(MOST_RECORDS * 8);
  let deliveries = scratch(MOST_RECORDS * DELIVERY.size);

  return {
    kind: "plain",
    fetch(queue, most) {
      const wanted = Math.min(most, MOST_RECORDS);
      const count = Number(native.rd_kafka_consume_batch_queue(queue, 0, messages.address, wanted));
      if (count <= 0) return undefined;
      const addresses = Array.from({ length: count }, (_, at) =>
        Number(messages.view.getBigUint64(at * 8, true)),
      );
      try {
        return copyRecords(library, addresses);
      } finally {
        for (const message of addresses) native.rd_kafka_message_destroy(message);
      }
    },
    produce(client, encoded, count, firstOpaque) {
      for (let at = 0; at < count; at++) {
        const err = produceOne(library, client, encoded, at, firstOpaque + at);
        if (err !== 0) return { taken: at, err };
      }
      return { taken: count, err: 0 };
    },
    deliveries(event) {
      const most = native.rd_kafka_event_message_count(event);
      if (most * 8 > deliveryMessages.bytes.byteLength) {
        deliveryMessages = scratch(most * 8);
        deliveries = scratch(most * DELIVERY.size);
      }
      const count = native.rd_kafka_event_message_array(event, deliveryMessages.address, most);
      for (let at = 0; at < count; at++) {
        const message = Number(deliveryMessages.view.getBigUint64(at * 8, true));
        const to = at * DELIVERY.size;
        deliveries.view.setFloat64(to + DELIVERY.opaque, readAddress(message, MESSAGE.opaque), true);
        deliveries.view.setFloat64(to + DELIVERY.offset, Number(readI64(message, MESSAGE.offset)), true);
        deliveries.view.setInt32(to + DELIVERY.partition, readI32(message, MESSAGE.partition), true);
        deliveries.view.setInt32(to + DELIVERY.err, readI32(message, MESSAGE.err), true);
        deliveries.view.setInt32(to + DELIVERY.status, native.rd_kafka_message_status(message), true);
      }
      return { count, view: deliveries.view };
    },
  };
}

interface Header {
  readonly name: string;
  readonly value: Address;
  readonly valueBytes: number;
}

function copyRecords(library: Library, messages: readonly Address[]): FetchedBuffer {
  const { native, libc } = library;
  const headersOf = messages.map((message) => readHeaders(library, message));
  const names = new Map<Address, Uint8Array>();
  let size = messages.length * RECORD.size;
  messages.forEach((message, at) => {
    const topic = readAddress(message, MESSAGE.topic);
    if (topic !== 0 && !names.has(topic)) {
      const name = encoder.encode(text(native.rd_kafka_topic_name(topic)));
      names.set(topic, name);
      size += 4 + name.byteLength;
    }
    size += lengthAt(message, MESSAGE.keyLength) + lengthAt(message, MESSAGE.payloadLength);
    for (const header of headersOf[at] ?? [])
      size += 8 + encoder.encode(header.name).byteLength + header.valueBytes;
  });

  const bytes = new Uint8Array(new ArrayBuffer(size));
  const view = new DataView(bytes.buffer);
  let end = messages.length * RECORD.size;
  const putNative = (from: Address, length: number): number => {
    const start = end;
    if (length > 0) libc.memcpy(bytes.subarray(start, start + length), from, length);
    end += length;
    return start;
  };
  const starts = new Map<Address, number>();
  for (const [topic, name] of names) {
    starts.set(topic, end);
    view.setInt32(end, name.byteLength, true);
    bytes.set(name, end + 4);
    end += 4 + name.byteLength;
  }

  const kind = scratch(4);
  messages.forEach((message, at) => {
    const to = at * RECORD.size;
    const err = readI32(message, MESSAGE.err);
    const stamp = err === 0 ? Number(native.rd_kafka_message_timestamp(message, kind.address)) : -1;
    const stamped = err === 0 && kind.view.getInt32(0, true) !== 0;
    const key = readAddress(message, MESSAGE.key);
    const payload = readAddress(message, MESSAGE.payload);
    const keyBytes = key === 0 ? 0 : lengthAt(message, MESSAGE.keyLength);
    const valueBytes = payload === 0 ? 0 : lengthAt(message, MESSAGE.payloadLength);
    view.setFloat64(to + RECORD.offset, Number(readI64(message, MESSAGE.offset)), true);
    view.setFloat64(to + RECORD.timestampMs, stamped ? stamp : -1, true);
    view.setInt32(to + RECORD.partition, readI32(message, MESSAGE.partition), true);
    view.setInt32(to + RECORD.topicStart, starts.get(readAddress(message, MESSAGE.topic)) ?? -1, true);
    view.setInt32(to + RECORD.err, err, true);
    view.setInt32(to + RECORD.keyStart, key === 0 ? -1 : putNative(key, keyBytes), true);
    view.setInt32(to + RECORD.keyBytes, keyBytes, true);
    view.setInt32(to + RECORD.valueStart, payload === 0 ? -1 : putNative(payload, valueBytes), true);
    view.setInt32(to + RECORD.valueBytes, valueBytes, true);
    view.setInt32(to + RECORD.headersStart, end, true);
    const headers = headersOf[at] ?? [];
    view.setInt32(to + RECORD.headerCount, headers.length, true);
    for (const header of headers) {
      const name = encoder.encode(header.name);
      view.setInt32(end, name.byteLength, true);
      view.setInt32(end + 4, header.value === 0 ? -1 : header.valueBytes, true);
      bytes.set(name, end + 8);
      end += 8 + name.byteLength;
      if (header.value !== 0) putNative(header.value, header.valueBytes);
    }
  });
  return { count: messages.length, bytes };
}

function readHeaders(library: Library, message: Address): readonly Header[] {
  const { native } = library;
  if (readI32(message, MESSAGE.err) !== 0) return [];
  const out = scratch(24);
  if (native.rd_kafka_message_headers(message, out.address) !== 0) return [];
  const list = Number(out.view.getBigUint64(0, true));
  if (list === 0) return [];
  const headers: Header[] = [];
  const count = native.rd_kafka_header_cnt(list);
  for (let at = 0; at < count; at++) {
    native.rd_kafka_header_get_all(list, at, out.address, out.address + 8, out.address + 16);
    headers.push({
      name: text(Number(out.view.getBigUint64(0, true))),
      value: Number(out.view.getBigUint64(8, true)),
      valueBytes: Number(out.view.getBigUint64(16, true)),
    });
  }
  return headers;
}

/** Hands one encoded record to the producer. @returns librdkafka's number for a refusal, 0 where it was taken. */
function produceOne(
  library: Library,
  client: Address,
  encoded: Uint8Array,
  at: number,
  opaque: number,
): number {
  const { native } = library;
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const base = addressOf(encoded);
  const from = at * OUTGOING.size;
  const values = scratch(6 * VALUE_UNION.size);
  let used = 0;
  const put = (tag: number, value: bigint, length = 0n): void => {
    const to = used++ * VALUE_UNION.size;
    values.view.setInt32(to + VALUE_UNION.tag, tag, true);
    values.view.setBigUint64(to + VALUE_UNION.value, value, true);
    values.view.setBigUint64(to + VALUE_UNION.value + 8, length, true);
  };
  const number = (field: number): number => view.getInt32(from + field, true);

  put(TAG.topicHandle, view.getBigUint64(from + OUTGOING.topic, true));
  put(TAG.flags, COPY);
  put(TAG.opaque, BigInt(opaque));
  const value = number(OUTGOING.valueStart);
  if (value >= 0) put(TAG.value, BigInt(base + value), BigInt(number(OUTGOING.valueBytes)));
  const key = number(OUTGOING.keyStart);
  if (key >= 0) put(TAG.key, BigInt(base + key), BigInt(number(OUTGOING.keyBytes)));
  const headers = buildHeaders(
    library,
    view,
    base,
    number(OUTGOING.headersStart),
    number(OUTGOING.headerCount),
  );
  if (headers !== 0) put(TAG.headers, BigInt(headers));

  const error = native.rd_kafka_produceva(client, values.address, used);
  if (!error) return 0;
  const code = native.rd_kafka_error_code(error);
  native.rd_kafka_error_destroy(error);
  if (headers !== 0) native.rd_kafka_headers_destroy(headers);
  return code;
}

function buildHeaders(
  library: Library,
  view: DataView,
  base: Address,
  start: number,
  count: number,
): Address {
  if (count === 0) return 0;
  const headers = library.native.rd_kafka_headers_new(count) ?? 0;
  let from = start;
  for (let at = 0; at < count; at++) {
    const nameBytes = view.getInt32(from, true);
    const valueBytes = view.getInt32(from + 4, true);
    const name = base + from + 8;
    const isNull = valueBytes < 0;
    library.native.rd_kafka_header_add(
      headers,
      name,
      nameBytes,
      isNull ? null : name + nameBytes,
      isNull ? 0 : valueBytes,
    );
    from += 8 + nameBytes + Math.max(0, valueBytes);
  }
  return headers;
}

const lengthAt = (message: Address, field: number): number => Number(readI64(message, field));

/** Tags of `rd_kafka_vu_t`. */
const TAG = { topicHandle: 2, value: 4, key: 5, opaque: 6, flags: 7, headers: 10 } as const;
/** RD_KAFKA_MSG_F_COPY. */
const COPY = 2n;
const encoder = new TextEncoder();
