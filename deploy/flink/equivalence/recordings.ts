/**
 * Recorded messages of `llm.generated`, as they lie on the topic: every branch of the scoring handler, and every way to be broken.
 *
 * In: how many, and a seed. Out: records with their bytes, always the same ones. Never here: what becomes of them.
 */
import type { IncomingRecord, RecordHeaders } from "../../../runtime/bus/bus.ts";
import { chanceOf, oneOf, questionOf, type Chance } from "./questions.ts";

/** The handler's clock, and the job's, while recorded messages are scored. */
export const NOW_MS = Date.parse("2026-01-01T12:00:00.123Z");

const TOPIC = "llm.generated";
const RETRY_TOPIC = "llm.generated.llm.generated.retry";
const PARTITIONS = 12;
const MINUTE_MS = 60_000;
/** So many in a hundred cannot be read. */
const BROKEN_SHARE = 0.15;

const utf8 = new TextEncoder();

/** `distinct`: no two have the same answer. */
export function recordings(
  count: number,
  seed: number,
  { distinct = false }: { readonly distinct?: boolean } = {},
): readonly IncomingRecord[] {
  const chance = chanceOf(seed);
  return Array.from({ length: count }, (_, index) => recordOf(index, chance, distinct ? ` #${index}` : ""));
}

function recordOf(index: number, chance: Chance, mark: string): IncomingRecord {
  const id = hexOf(32, chance);
  const plain = valueOf(id, chance);
  const value = { ...plain, answer: `${String(plain["answer"])}${mark}` };
  const broken = chance() < BROKEN_SHARE;
  return {
    topic: chance() < 0.1 ? RETRY_TOPIC : TOPIC,
    partition: index % PARTITIONS,
    offset: Math.floor(index / PARTITIONS),
    timestampMs: NOW_MS - Math.floor(chance() * MINUTE_MS),
    key: chance() < 0.05 ? null : utf8.encode(id),
    value: broken ? brokenBytes(value, chance) : utf8.encode(textOf(value, chance)),
    headers: headersOf(chance),
  };
}

function valueOf(id: string, chance: Chance): Record<string, unknown> {
  const { title, content, best_answer, answer } = questionOf(chance);
  return {
    id,
    title,
    content,
    best_answer,
    attempts: 1 + Math.floor(chance() * 6),
    round: 1 + Math.floor(chance() * 2),
    deferrals: Math.floor(chance() * 3),
    ...(chance() < 0.5 && { best: bestOf(chance) }),
    ...(chance() < 0.5 && {
      feedback: oneOf(["say more", "más corto", '\ud800 "quoted" \u2028\u0007'], chance),
    }),
    ...(chance() < 0.9 && { asked_at: oneOf(ASKED, chance) }),
    ...(chance() < 0.5 && { scores: [oneOf(POINTS, chance), oneOf(POINTS, chance)] }),
    answer,
    model: oneOf(["offline", "gpt-x", "modelo-ñ"], chance),
    ...(chance() < 0.6 && { usage: oneOf(USAGES, chance) }),
    ...(chance() < 0.2 && oneOf(UNKNOWN_FIELDS, chance)),
  };
}

function bestOf(chance: Chance): Record<string, unknown> {
  const points = () => oneOf(POINTS, chance);
  return {
    ...(chance() < 0.2 && { note: [null, true] }),
    answer: oneOf(["the answer before", "la de antes"], chance),
    score: points(),
    rubric: { clarity: points(), accuracy: points(), completeness: 3, 7: 1, conciseness: 3, usefulness: 3 },
    model: "before-1",
    ...(chance() < 0.8 && { gate_passed: chance() < 0.6 }),
    ...(chance() < 0.7 && { judge: "told" }),
    ...(chance() < 0.5 && { usage: { completion_tokens: 3, of: "best" } }),
  };
}

const POINTS = [0, 1.25, 4.9, 5, 5.99, 6, 7.5, 9.96, 10];
const USAGES = [
  { prompt_tokens: 12, completion_tokens: 3 },
  { total_tokens: 15, cost: 1.5e-7, prompt_tokens: 12 },
  {},
  [],
];
const ASKED = [
  "2026-01-01T11:59:00.000Z",
  "2026-01-01T10:00:00+01:00",
  "2025-12-31T23:59:59.999Z",
  "2025-12-01",
  "yesterday",
  "",
];
/** What an older process does not know, and what JavaScript and Python write differently. */
const UNKNOWN_FIELDS: readonly Record<string, unknown>[] = [
  {
    tenant: "a",
    10: "ten",
    9: "nine",
    nested: { b: 1, 2: 2, 1: [1e21, 1e-7, -0, 0.1 + 0.2, 123_456_789_012_345_680] },
  },
  { reason: "left over", score: 3, error_type: "timeout", below_threshold: true },
  { "": { "": [] }, ключ: "\u007f\u0080/\\\b\f\r\t", constructor: 1, toString: "own" },
  { list: [[], {}, null, false, 5e-324, 1.7976931348623157e308, 1e300, 0.000001, 12345.678] },
];

/** Mostly as `JSON.stringify` writes it; else other texts of the same value. */
function textOf(value: Record<string, unknown>, chance: Chance): string {
  const text = JSON.stringify(value);
  const form = chance();
  if (form < 0.8) return text;
  if (form < 0.85) return `\uFEFF${JSON.stringify(value, null, 2)}\n`;
  if (form < 0.9)
    return text.replace('"attempts":', '"attempts": 1, "attempts" : ').replace('"round":1', '"round":1.0e0');
  if (form < 0.95)
    return text.replaceAll(
      /[^\x20-\x7e]/g,
      (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return text.replace(
    "{",
    '{"__proto__":{"id":1},"x":{"__proto__":2},"huge":1e999,"big":12345678901234567890,',
  );
}

/** Nobody can read these: no JSON, no UTF-8, no value, no fitting value. */
function brokenBytes(value: Record<string, unknown>, chance: Chance): Uint8Array | null {
  const text = JSON.stringify(value);
  const form = oneOf(BROKEN, chance);
  return form(text, value);
}

const BROKEN: readonly ((text: string, value: Record<string, unknown>) => Uint8Array | null)[] = [
  () => null,
  () => new Uint8Array(),
  (text) => utf8.encode(text.slice(0, -1)),
  (text) => utf8.encode(`${text}}`),
  (text) => utf8.encode(text.replaceAll('"', "'")),
  () => utf8.encode("NaN"),
  () => Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d),
  () => utf8.encode(`${"[".repeat(65)}${"]".repeat(65)}`),
  () => utf8.encode(`{"a":"${"[".repeat(100)}","b":${"[".repeat(63)}${"]".repeat(63)}}`),
  () => utf8.encode("[]"),
  () => utf8.encode('"text"'),
  () => utf8.encode("null"),
  () => utf8.encode("{}"),
  (_, value) => encoded({ ...value, id: "no hash" }),
  (_, value) => encoded({ ...value, attempts: -1, round: 0.5, deferrals: "2" }),
  (_, value) => encoded({ ...value, best: { answer: 1, rubric: { accuracy: "9" } }, scores: [1, null, "x"] }),
  (_, value) => encoded({ ...value, best: null, usage: { prompt_tokens: -1.5 }, answer: ["a"], model: {} }),
  (_, value) => encoded({ ...value, feedback: true, asked_at: 5, title: undefined }),
];

function encoded(value: unknown): Uint8Array {
  return utf8.encode(JSON.stringify(value));
}

function headersOf(chance: Chance): RecordHeaders {
  if (chance() < 0.05) return [];
  const headers: Record<string, string> = {
    ce_specversion: "1.0",
    ce_id: chance() < 0.03 ? "x".repeat(257) : hexOf(32, chance),
    ce_source: "/llm/llm.requests",
    ce_type: TOPIC,
    ce_time: oneOf(["2026-01-01T11:59:58.001Z", "2025-11-01T00:00:00Z", "now"], chance),
    "content-type": "application/json",
    ...(chance() < 0.7 && { traceparent: traceOf(chance) }),
    ...(chance() < 0.1 && {
      cauce_attempts: "2",
      cauce_deferrals: "1",
      cauce_delivery: "3",
      cauce_place: "17/3",
    }),
    ...(chance() < 0.03 && { cauce_schema: "2" }),
    ...(chance() < 0.1 && { "x-request": "ñ" }),
  };
  return Object.entries(headers).map(([name, value]) => [name, utf8.encode(value)] as const);
}

function traceOf(chance: Chance): string {
  const trace = `00-${hexOf(32, chance)}-${hexOf(16, chance)}-01`;
  return chance() < 0.1 ? trace.toUpperCase() : trace;
}

function hexOf(digits: number, chance: Chance): string {
  return Array.from({ length: digits }, () => Math.floor(chance() * 16).toString(16)).join("");
}
