/**
 * The log's real form: one line per event, for people on a terminal, JSON elsewhere.
 *
 * In: level, event, fields. Out: one line handed to `write`. Secrets go at this sink (redact.ts), lengths are bounded.
 * Never here: throwing, waiting, files, more than one line per event.
 */
import type { Clock } from "../ground/clock.ts";
import type { Log, LogFields, LogLevel } from "../ground/log.ts";
import { boundedText, plainValue, type PlainValue } from "./plain-value.ts";
import { redactor } from "./redact.ts";

export interface LogOptions {
  /** Takes one finished line, its newline included. What it throws is ignored: a full disk must not stop the work. */
  readonly write: (line: string) => void;
  /** Readable lines with colours instead of JSON. */
  readonly terminal: boolean;
  /** Lines below this are not written. At "debug" errors carry their stacks. */
  readonly level: LogLevel;
  readonly clock: Pick<Clock, "nowMs">;
  /** Values that must never appear: passwords, keys, tokens from the settings. */
  readonly secrets?: readonly string[];
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLOUR: Readonly<Record<LogLevel, string>> = {
  debug: "\u001B[2m",
  info: "\u001B[36m",
  warn: "\u001B[33m",
  error: "\u001B[31m",
};
const DIM = "\u001B[2m";
const PLAIN = "\u001B[0m";
/** The longest line in characters; collectors cut at 16 KiB. */
const LONGEST_LINE = 16_000;
const OWN_FIELDS = ["time", "level", "event"];

/** Makes a log. */
export function createLog({ write, terminal, level, clock, secrets = [] }: LogOptions): Log {
  const redact = redactor(secrets);
  const plainOptions = { redact, stacks: level === "debug" };
  const form = terminal ? readableLine : jsonLine;

  const emit = (lineLevel: LogLevel, event: string, fields: LogFields) => {
    if (RANK[lineLevel] < RANK[level]) return;
    try {
      const plain: Record<string, PlainValue> = {};
      for (const [name, value] of Object.entries(fields)) {
        if (value === undefined) continue;
        const called = OWN_FIELDS.includes(name) ? `field_${name}` : boundedText(name, redact);
        plain[called] = plainValue(value, name, plainOptions);
      }
      write(form(new Date(clock.nowMs()), lineLevel, boundedText(event, redact), plain));
    } catch {
      // Nobody is left to tell.
    }
  };

  const bound = (base: LogFields): Log => ({
    debug: (event, fields) => emit("debug", event, { ...base, ...fields }),
    info: (event, fields) => emit("info", event, { ...base, ...fields }),
    warn: (event, fields) => emit("warn", event, { ...base, ...fields }),
    error: (event, fields) => emit("error", event, { ...base, ...fields }),
    with: (fields) => bound({ ...base, ...fields }),
  });
  return bound({});
}

type Fields = Readonly<Record<string, PlainValue>>;

function jsonLine(time: Date, level: LogLevel, event: string, fields: Fields): string {
  const head = { time: time.toISOString(), level, event };
  const line = JSON.stringify({ ...head, ...fields });
  if (line.length <= LONGEST_LINE) return `${line}\n`;
  // Whole fields are left out, so that the line stays JSON.
  const kept: Record<string, PlainValue> = {};
  let room = LONGEST_LINE - 1_000 - event.length;
  for (const [name, value] of Object.entries(fields)) {
    room -= JSON.stringify(value).length + name.length + 4;
    if (room > 0) kept[name] = value;
  }
  return `${JSON.stringify({ ...head, ...kept, truncated: line.length })}\n`;
}

function readableLine(time: Date, level: LogLevel, event: string, fields: Fields): string {
  const clock = time.toISOString().slice(11, 23);
  const told = Object.entries(fields).map(
    ([name, value]) => ` ${DIM}${printable(name)}=${PLAIN}${readableValue(value)}`,
  );
  const words = printable(event);
  const line = told.reduce(
    (sum, part) => (sum.length + part.length > LONGEST_LINE ? sum : sum + part),
    words,
  );
  return `${DIM}${clock}${PLAIN} ${COLOUR[level]}${level.padEnd(5)}${PLAIN} ${line}\n`;
}

function readableValue(value: PlainValue): string {
  if (typeof value === "string")
    return /^[\w.:/@+-]+$/.test(value) ? value : printable(JSON.stringify(value));
  if (isPlainError(value)) return printable(errorChain(value));
  return printable(JSON.stringify(value));
}

type PlainError = { readonly message: string; readonly [name: string]: PlainValue };

function isPlainError(value: PlainValue | undefined): value is PlainError {
  return (
    typeof value === "object" &&
    value !== null &&
    "message" in value &&
    typeof value["message"] === "string" &&
    ("code" in value || "name" in value)
  );
}

/** "unavailable: the broker is away ← ECONNREFUSED: connect failed". */
function errorChain(error: PlainError): string {
  const label = error["code"] ?? error["name"];
  const own = `${typeof label === "string" ? label : "Error"}: ${error.message}`;
  const cause = error["cause"];
  const chain = isPlainError(cause) ? `${own} ← ${errorChain(cause)}` : own;
  const stack = error["stack"];
  return typeof stack === "string" ? `${chain} ${JSON.stringify(stack)}` : chain;
}

/** Control characters as escapes: what was logged must not move the cursor, ring the bell or fake a line. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are just what is looked for
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g, (character) =>
    character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
