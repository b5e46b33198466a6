import { describe, expect, test } from "bun:test";
import { childTrace, formatTraceparent, newTrace, parseTraceparent } from "./trace.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("a traceparent", () => {
  test("is read and written back as it was", () => {
    const trace = parseTraceparent(`00-${TRACE}-${SPAN}-01`);
    expect(trace).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1 });
    expect(trace && formatTraceparent(trace)).toBe(`00-${TRACE}-${SPAN}-01`);
  });

  test("of a later version is read by the part that is known, and written as version 00", () => {
    const trace = parseTraceparent(`cc-${TRACE}-${SPAN}-03-what-the-future-brings`);
    expect(trace && formatTraceparent(trace)).toBe(`00-${TRACE}-${SPAN}-03`);
  });

  test.each([
    null,
    undefined,
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01x`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])("is none when malformed: %p", (header) => {
    expect(parseTraceparent(header)).toBeNull();
  });
});

describe("a trace", () => {
  test("that begins here is valid, also when chance answers the same for ever", () => {
    for (const random of [() => 0, () => 0.999_999_999_999, Math.random]) {
      expect(parseTraceparent(formatTraceparent(newTrace(random)))).not.toBeNull();
    }
  });

  test("keeps its id and flags in a child, which gets a span of its own", () => {
    const child = childTrace({ traceId: TRACE, spanId: SPAN, flags: 0 }, () => 0.5);
    expect(child).toEqual({ traceId: TRACE, spanId: "8000000080000000", flags: 0 });
  });
});
