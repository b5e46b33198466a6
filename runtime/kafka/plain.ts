/**
 * The crossing by calls alone: one call per field, one copy per batch. Slower than the shim, with the same results.
 *
 * In: a library. Out: a `Crossing`. It is what runs where the compiler inside Bun does not (another platform, a
 * hardened kernel), and what the shim is compared with by the tests.
 */
import type { Crossing } from "./crossing.ts";
import type { FetchedBuffer } from "./fetched-buffer.ts";
import { MOST_RECORDS } from "./crossing.ts";
import { ANSWER, ANSWERS, HEADER, OUTGOING, RECORD } from "./layout.ts";
import {
  type Address, type Library, MESSAGE, readAddress, readF64, readI32, readI64, scratch, text, VALUE_UNION,
} from "./symbols.ts"; // prettier-ignore

export function plainCrossing(library: Library): Crossing {
  const { native } = library;
  const messages = scratch(MOST_RECORDS * 8);
  let reports = scratch(MOST_RECORDS * 8);

  return {
    kind: "plain",
    fetch(queue, most) {
      const wanted = Math.min(most, MOST_RECORDS);
      const count = Number(native.rd_kafka_consume_batch_queue(queue, 0, messages.address, wanted));
      if (count <= 0) return [];
      const addresses = Array.from({ length: count }, (_, at) =>
        Number(messages.view.getBigUint64(at * 8, true)),
      );
      try {
        return [copyRecords(library, addresses)];
      } finally {
        for (const message of addresses) native.rd_kafka_message_destroy(message);
      }
    },
    produce(client, table, count, answers) {
      const records = { address: table.address, opaque: answers.address + ANSWERS.size };
      let err = 0;
      let taken = 0;
      while (taken < count && err === 0) {
        err = produceOne(
          library,
          client,
          records.address + taken * OUTGOING.size,
          records.opaque + taken * ANSWER.size,
        );
        if (err === 0) taken++;
      }
      answers.expect(taken);
      return { taken, err };
    },
    deliveries(event, answersOf) {
      const most = native.rd_kafka_event_message_count(event);
      if (most * 8 > reports.bytes.byteLength) reports = scratch(most * 8);
      const count = native.rd_kafka_event_message_array(event, reports.address, most);
      const complete: number[] = [];
      for (let at = 0; at < count; at++) {
        const message = Number(reports.view.getBigUint64(at * 8, true));
        const cell = readAddress(message, MESSAGE.opaque);
        if (cell === 0) continue;
        const index = readI32(cell, ANSWER.index);
        const answers = answersOf(readF64(cell - index * ANSWER.size - ANSWERS.size, ANSWERS.id));
        const last = answers?.note(index, {
          err: readI32(message, MESSAGE.err),
          persisted: native.rd_kafka_message_status(message),
          partition: readI32(message, MESSAGE.partition),
          offset: Number(readI64(message, MESSAGE.offset)),
        });
        if (answers !== undefined && last === true) complete.push(answers.id);
      }
      return new Float64Array(complete);
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
    view.setInt32(to + RECORD.headersBytes, end - view.getInt32(to + RECORD.headersStart, true), true);
  });
  return { count: messages.length, buffer: bytes.buffer, recycle: (buffer) => void buffer.transfer(0) };
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

/** Hands one record of a table to the producer. @returns librdkafka's number for a refusal, 0 where it was taken. */
function produceOne(library: Library, client: Address, record: Address, opaque: Address): number {
  const { native } = library;
  const values = scratch(6 * VALUE_UNION.size);
  let used = 0;
  const put = (tag: number, value: number, length = 0): void => {
    const to = used++ * VALUE_UNION.size;
    values.view.setInt32(to + VALUE_UNION.tag, tag, true);
    values.view.setBigUint64(to + VALUE_UNION.value, BigInt(value), true);
    values.view.setBigUint64(to + VALUE_UNION.value + 8, BigInt(length), true);
  };
  put(TAG.topicHandle, readF64(record, OUTGOING.topic));
  put(TAG.flags, COPY);
  put(TAG.opaque, opaque);
  const valueBytes = readI32(record, OUTGOING.valueBytes);
  if (valueBytes >= 0) put(TAG.value, readF64(record, OUTGOING.value), valueBytes);
  const keyBytes = readI32(record, OUTGOING.keyBytes);
  if (keyBytes >= 0) put(TAG.key, readF64(record, OUTGOING.key), keyBytes);
  const headers = buildHeaders(
    library,
    readF64(record, OUTGOING.headers),
    readI32(record, OUTGOING.headerCount),
  );
  if (headers !== 0) put(TAG.headers, headers);

  const error = native.rd_kafka_produceva(client, values.address, used);
  if (!error) return 0;
  const code = native.rd_kafka_error_code(error);
  native.rd_kafka_error_destroy(error);
  if (headers !== 0) native.rd_kafka_headers_destroy(headers);
  return code;
}

function buildHeaders(library: Library, from: Address, count: number): Address {
  if (count === 0) return 0;
  const headers = library.native.rd_kafka_headers_new(Math.abs(count)) ?? 0;
  const add = (name: Address, nameBytes: number, value: Address, valueBytes: number): void => {
    const isNull = valueBytes < 0;
    library.native.rd_kafka_header_add(
      headers,
      name,
      nameBytes,
      isNull ? null : value,
      isNull ? 0 : valueBytes,
    );
  };
  let at = from;
  for (let header = 0; header < -count; header++) {
    const nameBytes = readI32(at, 0);
    const valueBytes = readI32(at, 4);
    const name = at + 8;
    add(name, nameBytes, name + nameBytes, valueBytes);
    at = name + nameBytes + Math.max(0, valueBytes);
  }
  for (let header = 0; header < count; header++, at += HEADER.size)
    add(
      readF64(at, HEADER.name),
      readI32(at, HEADER.nameBytes),
      readF64(at, HEADER.value),
      readI32(at, HEADER.valueBytes),
    );
  return headers;
}

const lengthAt = (message: Address, field: number): number => Number(readI64(message, field));

/** Tags of `rd_kafka_vu_t`. */
const TAG = { topicHandle: 2, value: 4, key: 5, opaque: 6, flags: 7, headers: 10 } as const;
/** RD_KAFKA_MSG_F_COPY. */
const COPY = 2;
const encoder = new TextEncoder();
