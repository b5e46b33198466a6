/**
 * A door on a free port, closed when the test ends, and a log that keeps its lines.
 */
import { afterEach } from "bun:test";
import * as v from "valibot";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog, type Log, type LogFields } from "../../runtime/ground/log.ts";
import { routes } from "../../runtime/ingress/routes.ts";
import { startIngress, type Ingress, type IngressOptions } from "../../runtime/ingress/start.ts";

const open: Ingress[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((door) => door.stop()));
});

export const Asked = v.object({
  title: v.pipe(v.string(), v.minLength(1, "expected a question")),
  tags: v.optional(v.array(v.object({ name: v.string() }))),
  more: v.optional(v.looseObject({})),
});

/** What reached the route: nothing must be published for a refused request. */
export interface Given {
  readonly door: Ingress;
  readonly reached: unknown[];
  readonly post: (path: string, body: string, headers?: Record<string, string>) => Promise<Answer>;
  readonly get: (path: string, init?: RequestInit) => Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed problem; null for any other content type. */
  readonly problem: {
    readonly title: string;
    readonly status: number;
    readonly detail?: string;
    readonly errors?: readonly { readonly field: string; readonly message: string }[];
  } | null;
}

export async function givenDoor(options: Partial<IngressOptions> = {}): Promise<Given> {
  const reached: unknown[] = [];
  const door = await startIngress({
    port: 0,
    log: silentLog,
    clock: systemClock,
    metrics: () => "",
    ready: () => ({ ready: true, parts: {} }),
    routes: routes((app) =>
      app.post(
        "/ask",
        ({ body }) => {
          reached.push(body);
          return { asked: body.title };
        },
        { body: Asked },
      ),
    ),
    ...options,
  });
  open.push(door);
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(door.url + path, init);
    const text = await response.text();
    const isProblem = response.headers.get("content-type") === "application/problem+json";
    return {
      status: response.status,
      headers: response.headers,
      text,
      problem: isProblem ? (JSON.parse(text) as Answer["problem"]) : null,
    };
  };
  return {
    door,
    reached,
    post: (path, body, headers = { "content-type": "application/json" }) =>
      ask(path, { method: "POST", body, headers }),
    get: (path, init = {}) => ask(path, init),
  };
}

/** Keeps what was logged. */
export function recordingLog(): {
  readonly log: Log;
  readonly lines: { level: string; event: string; fields: LogFields }[];
} {
  const lines: { level: string; event: string; fields: LogFields }[] = [];
  const at =
    (level: string, base: LogFields) =>
    (event: string, fields: LogFields = {}) => {
      lines.push({ level, event, fields: { ...base, ...fields } });
    };
  const bound = (base: LogFields): Log => ({
    debug: at("debug", base),
    info: at("info", base),
    warn: at("warn", base),
    error: at("error", base),
    with: (fields) => bound({ ...base, ...fields }),
  });
  return { log: bound({}), lines };
}
