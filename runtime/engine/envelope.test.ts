import { expect, test } from "bun:test";
import type { IncomingRecord, RecordHeaders } from "../bus/bus.ts";
import { deriveId, readEnvelope, withCounters, writeEnvelope } from "./envelope.ts";

const utf8 = new TextEncoder();
const record = (headers: RecordHeaders): IncomingRecord => ({
  topic: "t",
  partition: 2,
  offset: 7,
  key: null,
  value: null,
  headers,
  timestampMs: 5_000,
});

const written = {
  id: "m1",
  source: "/app/h",
  type: "t",
  bornAtMs: Date.UTC(2026, 0, 2),
  contentType: "application/json",
  traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
  attempts: 2,
  deferrals: 3,
  delivery: 4,
  schema: 3,
};

test("what is written is read back", () => {
  const headers = writeEnvelope(written);
  expect(readEnvelope(record(headers))).toEqual({
    id: "m1",
    bornAtMs: Date.UTC(2026, 0, 2),
    traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
    attempts: 2,
    deferrals: 3,
    delivery: 4,
    schema: 3,
    place: null,
  });
});

test("a record of someone else has its coordinates as id and its timestamp as birth", () => {
  expect(readEnvelope(record([["x", null]]))).toMatchObject({
    id: "t/2/7@5000",
    bornAtMs: 5_000,
    attempts: 0,
    delivery: 0,
  });
});

test("damaged headers fall back and never throw", () => {
  const headers: RecordHeaders = [
    ["ce_time", utf8.encode("yesterday")],
    ["cauce_attempts", utf8.encode("-1")],
    ["cauce_deferrals", utf8.encode("1e99")],
    ["cauce_delivery", Uint8Array.of(0xff, 0xfe)],
    ["cauce_schema", utf8.encode("two")],
    ["cauce_place", utf8.encode("1/two")],
    ["traceparent", utf8.encode("00-zz")],
    ["ce_id", utf8.encode("x".repeat(300))],
  ];
  expect(readEnvelope(record(headers))).toEqual({
    id: "t/2/7@5000",
    bornAtMs: 5_000,
    traceparent: null,
    attempts: 0,
    deferrals: 0,
    delivery: 0,
    schema: 1,
    place: null,
  });
});

test("a retry keeps foreign headers, their order and bytes, and replaces its own", () => {
  const mine = record([
    ["x", Uint8Array.of(0xff)],
    ["cauce_attempts", utf8.encode("1")],
    ["x", null],
  ]);
  const headers = withCounters(mine, readEnvelope(mine), { attempts: 2, deferrals: 0, delivery: 1 });
  expect(headers.filter(([name]) => name === "x")).toEqual([
    ["x", Uint8Array.of(0xff)],
    ["x", null],
  ]);
  expect(readEnvelope({ ...mine, headers })).toMatchObject({ id: "t/2/7@5000", attempts: 2, delivery: 1 });
  expect(headers.filter(([name]) => name === "cauce_attempts")).toHaveLength(1);
});

test("ids of outputs follow from input, output and index alone", () => {
  expect(deriveId("m", "generated", 0)).toBe(deriveId("m", "generated", 0));
  expect(deriveId("m", "generated", 0)).toMatch(/^[0-9a-f]{32}$/);
  expect(
    new Set([deriveId("m", "a", 0), deriveId("m", "a", 1), deriveId("m", "b", 0), deriveId("n", "a", 0)])
      .size,
  ).toBe(4);
});

test("an output's trace is the same trace with a span of its own", () => {
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const traceOf = (id: string, of: string | null) =>
    readEnvelope(record(writeEnvelope({ ...written, id, traceparent: null, parent: of }))).traceparent;
  expect(traceOf("c".repeat(32), parent)).toBe(`00-${"a".repeat(32)}-${"c".repeat(16)}-01`);
  expect(traceOf("0".repeat(32), parent)).toBe(`00-${"a".repeat(32)}-0000000000000001-01`);
  expect(traceOf("c".repeat(32), null)).toBeNull();
});
