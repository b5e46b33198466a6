/**
 * The routes that machines and operators ask: is it alive, is it ready, how is it doing?
 *
 * In: functions that know. Out: an Elysia plugin. Never here: measuring.
 */
import { Elysia, type AnyElysia } from "elysia";
import type { OperatorGuard } from "./operator-guard.ts";
import { described } from "./routes.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { EXPOSITION_CONTENT_TYPE } from "../observe/exposition.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Each part and its state in words: `{ bus: "connected", store: "away" }`. */
  readonly parts: Readonly<Record<string, string>>;
}

export interface OperatorOptions {
  readonly ageMs: () => number;
  readonly staleMs: number;
  readonly ready: () => Readiness;
  /** Null where another listener has them. */
  readonly metrics: (() => string | Promise<string>) | null;
  readonly guard: OperatorGuard;
  readonly log: Log;
}

/** `/healthz` says who answers, so that a second process can tell Cauce from a stranger on its port. */
export const SERVICE = "cauce";

const tags = ["operations"];

export function operatorRoutes({ ageMs, staleMs, ready, metrics, guard, log }: OperatorOptions): AnyElysia {
  const probes = new Elysia()
    .get(
      "/healthz",
      () => {
        const heartbeatAgeMs = Math.round(ageMs());
        const alive = heartbeatAgeMs < staleMs;
        const body = { service: SERVICE, alive, heartbeat_age_ms: heartbeatAgeMs };
        return Response.json(body, { status: alive ? 200 : 503, headers: NO_STORE });
      },
      {
        detail: described({
          tags,
          summary: "Does the event loop turn?",
          responses: documented(ALIVE, "It turns.", "It is stuck."),
        }),
      },
    )
    .get(
      "/readyz",
      () => {
        const readiness = askReadiness(ready, log);
        return Response.json(readiness, { status: readiness.ready ? 200 : 503, headers: NO_STORE });
      },
      {
        detail: described({
          tags,
          summary: "Is it assigned and connected?",
          responses: documented(READY, "Ready.", "Not yet, or not now."),
        }),
      },
    );
  if (metrics === null) return probes;
  return probes.get(
    "/metrics",
    async ({ request }) =>
      guard(request, "/metrics") ??
      new Response(await metrics(), { headers: { ...NO_STORE, "content-type": EXPOSITION_CONTENT_TYPE } }),
    {
      detail: described({
        tags,
        summary: "Numbers for Prometheus",
        responses: {
          200: {
            description: "Text format 0.0.4.",
            content: { "text/plain": { schema: { type: "string" } } },
          },
        },
      }),
    },
  );
}

const NO_STORE = { "cache-control": "no-store" };

function askReadiness(ready: () => Readiness, log: Log): Readiness {
  try {
    const { ready: isReady, parts } = ready();
    return { ready: isReady, parts };
  } catch (thrown) {
    log.error("readiness could not be told", { error: thrown });
    return { ready: false, parts: { readiness: `could not be told: ${messageOf(thrown)}` } };
  }
}

interface Shape {
  readonly schema: object;
  readonly example: (well: boolean) => object;
}

const ALIVE: Shape = {
  schema: {
    type: "object",
    required: ["service", "alive", "heartbeat_age_ms"],
    properties: {
      service: { const: SERVICE },
      alive: { type: "boolean" },
      heartbeat_age_ms: { type: "integer", minimum: 0 },
    },
  },
  example: (well) => ({ service: SERVICE, alive: well, heartbeat_age_ms: well ? 12 : 15_000 }),
};
const READY: Shape = {
  schema: {
    type: "object",
    required: ["ready", "parts"],
    properties: {
      ready: { type: "boolean" },
      parts: { type: "object", additionalProperties: { type: "string" } },
    },
  },
  example: (well) => ({ ready: well, parts: { kafka: well ? "connected" : "away", postgres: "connected" } }),
};

function documented({ schema, example }: Shape, well: string, unwell: string) {
  const answer = (description: string, isWell: boolean) => ({
    description,
    content: { "application/json": { schema, example: example(isWell) } },
  });
  return { 200: answer(well, true), 503: answer(unwell, false) };
}
