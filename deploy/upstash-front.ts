/**
 * Upstash's REST protocol in front of any Redis: `@upstash/redis` then works with a local or private one.
 *
 * In: `POST /` with one command, `POST /pipeline` and `POST /multi-exec` with several, and a bearer token; `GET
 * /readyz` from anyone. Out: JSON in Upstash's shapes, base64 when `Upstash-Encoding` asks for it. Never here: commands that change the connection
 * itself (it is shared), a cache of its own. As a program: `REDIS_URL=… UPSTASH_REDIS_REST_TOKEN=… bun
 * deploy/upstash-front.ts`, or UPSTASH_REDIS_REST_TOKEN_FILE with a path.
 */
import { timingSafeEqual } from "node:crypto";
import { CauceError } from "cauce";
import { readSettings, wholeNumber, withSecretFiles } from "cauce/run";
import * as v from "valibot";

export interface UpstashFrontOptions {
  /** Such as `redis://127.0.0.1:6379`; may hold a password. */
  readonly redisUrl: string;
  /** What clients must show as `Authorization: Bearer …`. */
  readonly token: string;
  /** Default 0: a port of the system's choice. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
}

export interface UpstashFront {
  readonly url: string;
  close(): Promise<void>;
}

type Command = readonly [name: string, ...given: string[]];
type Answer = { readonly result: unknown } | { readonly error: string };

const LARGEST_BODY_BYTES = 10 * 1024 * 1024;
/** They would change what the next request of another client means, or never answer. */
const REFUSED = new Set(
  "AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PUNSUBSCRIBE QUIT RESET SELECT SHUTDOWN SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH".split(
    " ",
  ),
);

/** Listens at once; Redis may come later (until then every request is answered 503). @throws CauceError `config_invalid`. */
export function startUpstashFront(options: UpstashFrontOptions): UpstashFront {
  if (options.token === "")
    throw new CauceError("config_invalid", "the Upstash front needs a token that is not empty");
  const redis = new Bun.RedisClient(options.redisUrl, { enableOfflineQueue: false, autoReconnect: false });
  let connecting: Promise<unknown> | null = null;
  const connected = async () => {
    if (redis.connected) return;
    connecting ??= redis.connect().finally(() => {
      connecting = null;
    });
    await connecting;
  };
  /** One PING through to Redis: for whoever asks whether this front is of use, without the token. */
  const readiness = async () => {
    try {
      await connected();
      const [answer] = await send(redis, [["PING"]]);
      if (answer !== undefined && "result" in answer && answer.result === "PONG") return new Response("up\n");
    } catch {
      // As below: it cannot be reached.
    }
    return refuse(503, "ERR Redis cannot be reached");
  };
  const server = Bun.serve({
    hostname: options.hostname ?? "127.0.0.1",
    port: options.port ?? 0,
    development: false,
    maxRequestBodySize: LARGEST_BODY_BYTES,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (request.method === "GET" && pathname === "/readyz") return readiness();
      if (!isAllowed(request.headers.get("authorization"), options.token)) return refuse(401, "Unauthorized");
      let commands: readonly Command[];
      try {
        const body: unknown = await request.json();
        commands = pathname === "/" ? [readCommand(body)] : readCommands(body);
      } catch (thrown) {
        return refuse(400, `ERR ${messageOf(thrown)}`);
      }
      try {
        await connected();
      } catch {
        return refuse(503, "ERR Redis cannot be reached");
      }
      const base64 = request.headers.get("upstash-encoding") === "base64";
      const encode = (answer: Answer) =>
        "result" in answer ? { result: shape(answer.result, base64) } : answer;
      if (request.method === "POST" && pathname === "/") {
        const [answer = { error: "ERR no answer" }] = await send(redis, commands);
        return Response.json(encode(answer), { status: "error" in answer ? 400 : 200 });
      }
      if (request.method === "POST" && pathname === "/pipeline")
        return Response.json((await send(redis, commands)).map(encode));
      if (request.method === "POST" && pathname === "/multi-exec") {
        const answers = await transact(redis, commands);
        return "error" in answers ? refuse(400, answers.error) : Response.json(answers.all.map(encode));
      }
      return refuse(404, `ERR nothing is served at ${request.method} ${pathname}`);
    },
    error: (thrown) => refuse(500, `ERR ${messageOf(thrown)}`),
  });
  return {
    url: `http://${server.hostname}:${server.port}`,
    async close() {
      await server.stop(true);
      redis.close();
    },
  };
}

/**
 * Written in one turn of the loop, so that no other request comes between. `HELLO 2` goes first each time: the client
 * speaks RESP3 after it reconnects, and Upstash's shapes (flat lists, numbers as text) are those of RESP2.
 */
async function send(redis: Bun.RedisClient, commands: readonly Command[]): Promise<readonly Answer[]> {
  const [, ...settled] = await Promise.allSettled([
    redis.send("HELLO", ["2"]),
    ...commands.map(([name, ...given]) => redis.send(name, given)),
  ]);
  return settled.map((one): Answer =>
    one.status === "fulfilled" ? { result: one.value as unknown } : { error: messageOf(one.reason) },
  );
}

async function transact(
  redis: Bun.RedisClient,
  commands: readonly Command[],
): Promise<{ readonly all: readonly Answer[] } | { readonly error: string }> {
  const end = (await send(redis, [["MULTI"], ...commands, ["EXEC"]])).at(-1);
  if (end === undefined || "error" in end) return { error: end?.error ?? "ERR no answer" };
  const results = Array.isArray(end.result) ? (end.result as readonly unknown[]) : [];
  return {
    all: results.map((result) => (result instanceof Error ? { error: result.message } : { result })),
  };
}

function shape(value: unknown, base64: boolean): unknown {
  if (Array.isArray(value)) return (value as readonly unknown[]).map((one) => shape(one, base64));
  return typeof value === "string" && base64 ? Buffer.from(value, "utf8").toString("base64") : value;
}

function readCommands(body: unknown): readonly Command[] {
  if (!Array.isArray(body) || body.length === 0) throw new TypeError("expected a list of commands");
  return (body as readonly unknown[]).map(readCommand);
}

function readCommand(body: unknown): Command {
  const parts: readonly unknown[] = Array.isArray(body) ? body : [];
  const [name, ...given] = parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part)));
  if (name === undefined || name === "")
    throw new TypeError("expected a command: a list with its name first");
  if (REFUSED.has(name.toUpperCase()))
    throw new TypeError(`${name.toUpperCase()} is not available over REST`);
  return [name, ...given];
}

function isAllowed(header: string | null, token: string): boolean {
  const came = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return came.length === wanted.length && timingSafeEqual(came, wanted);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

const SETTINGS = {
  redisUrl: {
    env: "REDIS_URL",
    schema: v.optional(v.string(), "redis://127.0.0.1:6379"),
    about: "The Redis behind the front; default redis://127.0.0.1:6379.",
    secret: true,
  },
  token: {
    env: "UPSTASH_REDIS_REST_TOKEN",
    schema: v.string("expected the token that clients must show"),
    about: "What clients must show as a bearer token.",
    secret: true,
  },
  port: {
    env: "PORT",
    schema: wholeNumber({ min: 1, max: 65_535, preset: 8079 }),
    about: "Port of the front; default 8079.",
  },
  hostname: {
    env: "HOST",
    schema: v.optional(v.string(), "127.0.0.1"),
    about: "Address to listen on; default 127.0.0.1, in a container 0.0.0.0.",
  },
} as const;

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main) {
  const front = startUpstashFront(readSettings(SETTINGS, withSecretFiles(process.env)));
  process.stdout.write(`Upstash's REST protocol on ${front.url}\n`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void front.close());
}
