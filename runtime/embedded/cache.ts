/**
 * The cache inside this process, for when no Redis is configured: `new Redis(createCacheRequester())`.
 *
 * In: Upstash's request form, a command or a pipeline of commands. Out: what Redis would answer, for the few commands
 * that Cauce and its applications use; any other one is refused with a clear error. Bounded in entries and bytes,
 * the longest unused goes first; nothing is shared between processes and nothing survives this one.
 * Never here: HTTP, timers (an expired entry goes when it is met or its room is needed).
 */
import { systemClock, type Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import { BoundedEntries } from "./cache-entries.ts";

export interface CacheOptions {
  /** Greatest number of entries. Default 10,000. */
  readonly entries?: number;
  /** Greatest size of all keys and values together, in bytes of UTF-8. Default 32 MiB. */
  readonly bytes?: number;
  readonly clock?: Clock;
}

/** One answer; a pipeline answers with a list of them. */
export interface CacheAnswer<T> {
  readonly result?: T;
  readonly error?: string;
}

/** The part of `@upstash/redis`'s `Requester` that a client needs; a `Redis` can be made of it directly. */
export interface CacheRequester {
  request<T = unknown>(request: { path?: string[]; body?: unknown }): Promise<CacheAnswer<T>>;
}

type Reply = string | number | null | readonly (string | null)[];
type Command = (given: readonly string[], entries: BoundedEntries) => Reply;

const DEFAULT_ENTRIES = 10_000;
const DEFAULT_BYTES = 32 * 1024 * 1024;

/** A cache of its own with each call. @throws RangeError for limits that are no positive whole numbers. */
export function createCacheRequester(options: CacheOptions = {}): CacheRequester {
  const entries = new BoundedEntries({
    entries: options.entries ?? DEFAULT_ENTRIES,
    bytes: options.bytes ?? DEFAULT_BYTES,
    clock: options.clock ?? systemClock,
  });
  return {
    request<T>({ path = [], body }: { path?: string[]; body?: unknown }) {
      // Which type an answer has follows from the command, and only the client that built it knows that.
      return Promise.resolve(answer(path.join("/"), body, entries) as CacheAnswer<T>);
    },
  };
}

function answer(path: string, body: unknown, entries: BoundedEntries): unknown {
  if (path === "") return runCommand(body, entries);
  if (path === "pipeline" && Array.isArray(body)) {
    return (body as readonly unknown[]).map((command) => runCommand(command, entries));
  }
  return {
    error: `ERR the in-process cache does not serve "${path}": it knows single commands and pipelines`,
  };
}

function runCommand(command: unknown, entries: BoundedEntries): CacheAnswer<Reply> {
  if (!Array.isArray(command) || command.length === 0)
    return { error: "ERR a command is a list with its name first" };
  const [name = "", ...given] = (command as readonly unknown[]).map((part) =>
    typeof part === "string" ? part : JSON.stringify(part),
  );
  const run = COMMANDS.get(name.toUpperCase());
  if (run === undefined) {
    const known = [...COMMANDS.keys()].join(", ");
    return {
      error: `ERR the in-process cache does not know ${name.toUpperCase()}: it knows ${known}. Set UPSTASH_REDIS_REST_URL to use a Redis`,
    };
  }
  try {
    return { result: run(given, entries) };
  } catch (thrown) {
    return { error: `ERR ${messageOf(thrown)}` };
  }
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["GET", (given, entries) => entries.get(only(given, "get"))],
  ["MGET", (given, entries) => atLeastOne(given, "mget").map((key) => entries.get(key))],
  ["SET", set],
  ["DEL", (given, entries) => atLeastOne(given, "del").filter((key) => entries.delete(key)).length],
  ["TTL", ttl],
  ["PING", ([text = "PONG"]) => text],
]);

/** `SET key value [NX | XX] [EX seconds | PX milliseconds]`. */
function set(given: readonly string[], entries: BoundedEntries): Reply {
  const [key, value, ...options] = given;
  if (key === undefined || value === undefined) throw wrongNumber("set");
  let lifeMs: number | null = null;
  let condition: "NX" | "XX" | null = null;
  for (let at = 0; at < options.length; at += 1) {
    const option = options[at]?.toUpperCase();
    if ((option === "EX" || option === "PX") && lifeMs === null) {
      at += 1;
      lifeMs = readLife(options[at]) * (option === "EX" ? 1_000 : 1);
    } else if ((option === "NX" || option === "XX") && condition === null) condition = option;
    else throw new Error(`syntax error: the in-process cache knows EX, PX, NX and XX, not "${options[at]}"`);
  }
  const present = entries.get(key) !== null;
  if ((condition === "NX" && present) || (condition === "XX" && !present)) return null;
  entries.set(key, value, lifeMs);
  return "OK";
}

/** Whole seconds, rounded; -1 for an entry that never expires, -2 for none. */
function ttl(given: readonly string[], entries: BoundedEntries): Reply {
  const leftMs = entries.lifeLeftMs(only(given, "ttl"));
  if (leftMs === undefined) return -2;
  return leftMs === null ? -1 : Math.round(leftMs / 1_000);
}

function readLife(text: string | undefined): number {
  if (text === undefined) throw new Error("syntax error");
  const life = Number(text);
  if (!Number.isSafeInteger(life)) throw new Error("value is not an integer or out of range");
  if (life <= 0) throw new Error("invalid expire time in 'set' command");
  return life;
}

function only(given: readonly string[], name: string): string {
  const [key] = given;
  if (key === undefined || given.length > 1) throw wrongNumber(name);
  return key;
}

function atLeastOne(given: readonly string[], name: string): readonly string[] {
  if (given.length === 0) throw wrongNumber(name);
  return given;
}

function wrongNumber(name: string): Error {
  return new Error(`wrong number of arguments for '${name}' command`);
}
