/**
 * W3C trace context: which work belongs to one request, from the door to the last handler.
 *
 * In: a `traceparent` header or none. Out: a trace and its header's text. Pure; chance is handed in.
 * Never here: sampling decisions, exporters, `tracestate` (nobody reads it yet).
 */
import type { Random } from "../ground/clock.ts";

export interface Trace {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero: the step that speaks. */
  readonly spanId: string;
  /** The flags byte, 0 to 255; bit 0 says "sampled". */
  readonly flags: number;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;

/**
 * Reads a `traceparent`. Null for anything that the W3C text calls invalid: wrong lengths, upper case, version `ff`,
 * ids of zeros, version 00 with something behind it. Later versions are read by the part that 00 knows.
 */
export function parseTraceparent(header: string | null | undefined): Trace | null {
  const match = FORM.exec(header?.trim() ?? "");
  if (!match) return null;
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** The header's text, always as version 00. */
export function formatTraceparent({ traceId, spanId, flags }: Trace): string {
  return `00-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, "0")}`;
}

/** A trace that begins here. */
export function newTrace(random: Random): Trace {
  return { traceId: hex(32, random), spanId: hex(16, random), flags: SAMPLED };
}

/** The next step of the same trace. */
export function childTrace(parent: Trace, random: Random): Trace {
  return { ...parent, spanId: hex(16, random) };
}

/** That many hex digits, never all zero. */
function hex(digits: number, random: Random): string {
  let text = "";
  while (text.length < digits) {
    text += Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0");
  }
  return /^0+$/.test(text) ? `${text.slice(1)}1` : text;
}
