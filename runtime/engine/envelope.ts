/**
 * The envelope: what a message says about itself, in headers.
 *
 * In: a record's headers. Out: id, counters, birth; and back. CloudEvents 1.0 (Kafka binding, `ce_…`) and W3C
 * `traceparent`, plus three counters of our own. Records without any of it are accepted: their coordinates are their id.
 * Never here: keys and values.
 */
import { hash } from "node:crypto";
import type { IncomingRecord, RecordHeaders } from "../bus/bus.ts";
import type { Place } from "../store/fences.ts";

export interface Counters {
  /** Failures that burnt an attempt. */
  readonly attempts: number;
  /** Failures that did not. */
  readonly deferrals: number;
  /** How often the schedule published this message again. */
  readonly delivery: number;
}

export interface Envelope extends Counters {
  readonly id: string;
  /** Birth of this message in ms since 1970; retries keep it. */
  readonly bornAtMs: number;
  readonly traceparent: string | null;
  /** The version of the topic's schema by which it was written; 1 where it does not say. */
  readonly schema: number;
  /** Where it stands at a fence; null for most. */
  readonly place: Place | null;
}

export interface NewEnvelope extends Omit<Envelope, "place"> {
  /** Of an output: the traceparent of its input, whose trace it goes on with. Then it has none of its own. */
  readonly parent?: string | null;
  /** Who made it: `/<app>/<handler>`. */
  readonly source: string;
  /** The topic that it was made for, also while it lies on a retry topic. */
  readonly type: string;
  readonly contentType: string;
}

/** A counter above this is no count but damage. */
const HIGHEST_COUNT = 1_000_000;
const LONGEST_ID = 256;
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

const text = new TextDecoder("utf-8");
const utf8 = new TextEncoder();

/** The header of the version of the topic's schema. */
const SCHEMA = "cauce_schema";
/** The header of a message's place at a fence: the fence's number and the turn, such as `17/3`. */
const PLACE = "cauce_place";
/** The header of a message's place in the line of its handler's limit. Few have one: it is read where it is asked for. */
const TICKET = "cauce_ticket";
/** Headers that are read of every record. */
const READ: readonly string[] = [
  "ce_id",
  "ce_time",
  "traceparent",
  "cauce_attempts",
  "cauce_deferrals",
  "cauce_delivery",
  SCHEMA,
  PLACE,
];

/** Reads what a record says about itself. Never throws: what is missing or damaged falls back. */
export function readEnvelope(record: IncomingRecord): Envelope {
  const [id = "", time, traceparent, attempts, deferrals, delivery, schema, place] =
    record.headerTexts?.(READ) ?? textsOf(record.headers);
  const stamped = time === undefined ? NaN : parsedTime(time);
  return {
    id: isMessageId(id) ? id : coordinatesOf(record),
    bornAtMs: Number.isNaN(stamped) ? record.timestampMs : stamped,
    traceparent: traceparent !== undefined && TRACEPARENT.test(traceparent) ? traceparent : null,
    attempts: count(attempts),
    deferrals: count(deferrals),
    delivery: count(delivery),
    schema: Math.max(1, count(schema)),
    place: place === undefined ? null : readPlace(place),
  };
}

/** Messages that were made together say the same time. */
let lastParsed = { time: "", stampMs: NaN };

function parsedTime(time: string): number {
  if (lastParsed.time !== time) lastParsed = { time, stampMs: Date.parse(time) };
  return lastParsed.stampMs;
}

/** The last value of each header that is read, in the order of READ; undefined where it is missing or null. */
function textsOf(headers: RecordHeaders): readonly (string | undefined)[] {
  const texts: (string | undefined)[] = READ.map(() => undefined);
  for (const [name, bytes] of headers) {
    const place = READ.indexOf(name);
    if (place >= 0 && bytes !== null) texts[place] = text.decode(bytes);
  }
  return texts;
}

/** May this be a message's id? Another one would be read as none. */
export function isMessageId(id: string): boolean {
  return id !== "" && id.length <= LONGEST_ID;
}

/**
 * The id of a record that brings none. With its timestamp: a topic that was deleted and made again, or an embedded broker
 * that started anew, gives the same offsets to other messages.
 */
function coordinatesOf({ topic, partition, offset, timestampMs }: IncomingRecord): string {
  return `${topic}/${partition}/${offset}@${timestampMs}`;
}

/** Headers of a message that is made here. */
export function writeEnvelope(envelope: NewEnvelope): RecordHeaders {
  const id = utf8.encode(envelope.id);
  const headers: Header[] = [
    SPECVERSION,
    ["ce_id", id],
    sources.of(envelope.source),
    types.of(envelope.type),
    timeOf(envelope.bornAtMs),
    contentTypes.of(envelope.contentType),
  ];
  const { traceparent, parent = null } = envelope;
  if (parent !== null) headers.push(["traceparent", childTrace(parent, id)]);
  else if (traceparent !== null) headers.push(["traceparent", utf8.encode(traceparent)]);
  if (envelope.schema > 1) headers.push([SCHEMA, utf8.encode(String(envelope.schema))]);
  addCounters(headers, envelope);
  return headers;
}

type Header = RecordHeaders[number];

/** Headers whose values are few and the same for every message: names of handlers, topics, content types. */
class Constants {
  readonly #name: string;
  readonly #known = new Map<string, Header>();

  constructor(name: string) {
    this.#name = name;
  }

  of(value: string): Header {
    let header = this.#known.get(value);
    if (header === undefined) {
      header = [this.#name, utf8.encode(value)];
      if (this.#known.size < MOST_CONSTANTS) this.#known.set(value, header);
    }
    return header;
  }
}

const MOST_CONSTANTS = 1_000;
const SPECVERSION: Header = ["ce_specversion", utf8.encode("1.0")];
const sources = new Constants("ce_source");
const types = new Constants("ce_type");
const contentTypes = new Constants("content-type");

/** Messages that are made together are born in the same millisecond. */
let lastTime: { readonly atMs: number; readonly header: Header } | null = null;

function timeOf(bornAtMs: number): Header {
  if (lastTime?.atMs !== bornAtMs) {
    const header: Header = ["ce_time", utf8.encode(new Date(Math.max(0, bornAtMs)).toISOString())];
    lastTime = { atMs: bornAtMs, header };
  }
  return lastTime.header;
}

/** A record's own headers with other counters, and an id where it had none: what travels through a retry. */
export function withCounters(record: IncomingRecord, envelope: Envelope, counters: Counters): RecordHeaders {
  const headers = record.headers.filter(([name]) => !REPLACED.has(name));
  headers.push(["ce_id", utf8.encode(envelope.id)], timeOf(envelope.bornAtMs));
  addCounters(headers, counters);
  return headers;
}

/**
 * Headers that others wrote, completed by what every message made here says of itself. Theirs stay, but for those that must be
 * right: id, birth, counters and version; and a place is given by fences alone.
 */
export function completedHeaders(headers: RecordHeaders, envelope: NewEnvelope): RecordHeaders {
  const kept = headers.filter(([name]) => !REPLACED.has(name) && name !== SCHEMA);
  const names = new Set(kept.map(([name]) => name));
  return [...writeEnvelope(envelope).filter(([name]) => !names.has(name)), ...kept];
}

/** Is this header the envelope's own? */
export function isOfEnvelope(name: string): boolean {
  return /^(?:ce_.*|cauce_.*|content-type|traceparent)$/i.test(name);
}

const REPLACED = new Set([
  "ce_id",
  "ce_time",
  "cauce_attempts",
  "cauce_deferrals",
  "cauce_delivery",
  PLACE,
  TICKET,
]);

/** Headers with a place at a fence, for a message on its way back to its handler. */
export function withPlace(headers: RecordHeaders, { fence, turn }: Place): RecordHeaders {
  return [...withoutPlace(headers), [PLACE, utf8.encode(`${fence}/${turn}`)]];
}

/** Headers without it: what leaves its handler for good stands at no fence. */
export function withoutPlace(headers: RecordHeaders): RecordHeaders {
  return headers.some(([name]) => name === PLACE) ? headers.filter(([name]) => name !== PLACE) : headers;
}

/** Headers with a place in line, for a message that comes back when it is its turn. */
export function withTicket(headers: RecordHeaders, ticket: number): RecordHeaders {
  return [...headers, [TICKET, utf8.encode(String(ticket))]];
}

/** A message's place in line, or null. */
export function ticketOf({ headers }: Pick<IncomingRecord, "headers">): number | null {
  const bytes = headers.findLast(([name]) => name === TICKET)?.[1];
  const digits = bytes === undefined || bytes === null ? "" : text.decode(bytes);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null;
}

/** A number of a row and a turn, as bigint in Postgres; anything else is no place. */
function readPlace(words: string): Place | null {
  const match = /^(\d{1,18})\/(\d{1,15})$/.exec(words);
  return match?.[1] === undefined ? null : { fence: match[1], turn: Number(match[2]) };
}

/**
 * The id of an output: 32 hex digits that follow from the input's id, the output's name and its index, so that a repeat
 * carries the same id.
 */
export function deriveId(inputId: string, output: string, index: number): string {
  // In one call: a third of what a hash object costs.
  return hash("sha256", `${inputId}\u001f${output}\u001f${index}`, "hex").slice(0, 32);
}

/** Where a traceparent's span lies: `00-<32 digits of the trace>-<16 of the span>-<2 of the flags>`. */
const SPAN = { from: 36, to: 52 } as const;
const ZERO = 0x30;

/** The same trace, and the first 16 digits of an output's id as its span. In bytes: cutting and joining texts costs more. */
function childTrace(parent: string, id: Uint8Array): Uint8Array {
  const trace = utf8.encode(parent);
  let isNone = true;
  for (let at = SPAN.from; at < SPAN.to; at++) {
    const digit = id[at - SPAN.from] ?? ZERO;
    trace[at] = digit;
    isNone &&= digit === ZERO;
  }
  if (isNone) trace[SPAN.to - 1] = ZERO + 1; // sixteen zeros are W3C's word for an invalid span
  return trace;
}

function addCounters(headers: Header[], { attempts, deferrals, delivery }: Counters): void {
  if (attempts > 0) headers.push(["cauce_attempts", utf8.encode(String(attempts))]);
  if (deferrals > 0) headers.push(["cauce_deferrals", utf8.encode(String(deferrals))]);
  if (delivery > 0) headers.push(["cauce_delivery", utf8.encode(String(delivery))]);
}

function count(digits: string | undefined): number {
  return digits !== undefined && /^\d{1,7}$/.test(digits) ? Math.min(Number(digits), HIGHEST_COUNT) : 0;
}
