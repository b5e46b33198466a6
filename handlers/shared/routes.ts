/**
 * The application's HTTP routes: ask a question, see where one is, follow it.
 *
 * In: requests that the door has read and bounded. Out: results, acknowledgements, event streams, problem details.
 * Never here: what asking means (ask.ts), who may ask (door/key-guard.ts).
 */
import type { Client } from "cauce/run";
import { holdOpen, routes, traceOf, type Routes } from "cauce/ingress";
import { ask, type Asking } from "./ask.ts";
import {
  isQuestionId,
  malformedId,
  malformedWait,
  refusal,
  shownResult,
  shownStatus,
  unknownQuestion,
} from "./door/answers.ts";
import { awaitEnd, hasEnded } from "./door/await-end.ts";
import { documentAsk, documentEvents, documentStatus } from "./door/documents.ts";
import { eventsOf, resumePoint } from "./door/events.ts";
import type { KeyGuard } from "./door/key-guard.ts";
import { patienceOf } from "./door/patience.ts";
import type { StepFeed } from "./door/step-feed.ts";
import type { HitCounter } from "./hit-counter.ts";
import type { Journal } from "./journal.ts";
import { askedBody } from "./route-schemas.ts";
import type { Repository } from "./storage/repository.ts";

export interface RouteOptions extends Asking {
  readonly client: Client;
  readonly repository: Asking["repository"] & Pick<Repository, "findStatus" | "stepsAfter">;
  readonly journal: Pick<Journal, "note">;
  readonly hits: Pick<HitCounter, "count">;
  readonly clock: Asking["clock"] & { nowMs(): number };
  readonly feed: StepFeed;
  /** Nobody waits longer for an answer, in ms. */
  readonly mostPatienceMs: number;
  /** Who may ask. Default: everybody who reaches the door. */
  readonly guard?: KeyGuard;
  /** Of event streams; see door/events.ts. */
  readonly heartbeatMs?: number;
}

export function questionRoutes(options: RouteOptions): Routes {
  const { repository, journal, clock, cache, guard } = options;
  /** The end of a question, if it comes while the asker has patience. */
  const endOf = async (id: string, request: Request, patienceMs: number) => {
    holdOpen(request);
    return await awaitEnd(id, { patienceMs, signal: request.signal }, options);
  };

  const askRoute = async (body: Parameters<typeof ask>[0], request: Request): Promise<Response> => {
    const patience = patienceOf(request, options.mostPatienceMs);
    if (patience.kind === "unreadable") return malformedWait();
    const asked = await ask(body, { ...options, traceparent: traceOf(request) });
    if (asked.kind === "hit") {
      const { id, round, score } = asked.result;
      options.hits.count({ id, round, from: asked.from, score });
      return Response.json({ hit: true, from: asked.from, ...shownResult(asked.result) });
    }
    const { id, round } = asked;
    if (round !== null) journal.note([{ id, round, step: "queued", atMs: clock.nowMs(), detail: {} }]);
    const headers = { location: `/query/${id}`, ...applied(patience.ms) };
    const ended = patience.ms > 0 ? await endOf(id, request, patience.ms) : null;
    if (ended) return Response.json({ hit: false, ...shownStatus(ended) }, { headers });
    return Response.json({ queued: true, id }, { status: 202, headers });
  };

  const statusRoute = async (id: string, request: Request): Promise<Response> => {
    const patience = patienceOf(request, options.mostPatienceMs);
    if (patience.kind === "unreadable") return malformedWait();
    try {
      const status = await repository.findStatus(id);
      if (!status) return unknownQuestion(id);
      const wait = patience.ms > 0 && !hasEnded(status);
      const later = wait ? await endOf(id, request, patience.ms) : null;
      // Where it is when the patience is over, not where it was before.
      const now = later ?? (wait ? ((await repository.findStatus(id)) ?? status) : status);
      return Response.json(shownStatus(now), { headers: applied(patience.ms) });
    } catch (thrown) {
      const result = await cache.get(id);
      if (!result) return refusal(thrown);
      return Response.json({ ...shownResult(result), state: "done", since: result.created_at });
    }
  };

  const eventsRoute = async (id: string, request: Request): Promise<Response> => {
    const lastEventId = request.headers.get("last-event-id");
    // What is no id of ours says nothing of where the reader was: it gets everything.
    const after = resumePoint(lastEventId) ?? 0n;
    const status = await repository.findStatus(id);
    if (!status) return unknownQuestion(id);
    if (request.method === "HEAD") return new Response(null, { headers: EVENT_STREAM });
    if (after > 0n && hasEnded(status)) {
      const { steps } = await repository.stepsAfter({ ids: [id], after, limit: 1 });
      // The reader has it all. 204 tells a browser not to come back.
      if (steps.length === 0) return new Response(null, { status: 204 });
    }
    const stream = await eventsOf(id, { after, signal: request.signal }, { ...options, told: shownStatus });
    return new Response(stream, { headers: EVENT_STREAM });
  };

  const refusing = async (answer: () => Promise<Response>): Promise<Response> => {
    try {
      return await answer();
    } catch (thrown) {
      return refusal(thrown);
    }
  };

  return routes((door) => {
    if (guard) door.onRequest(({ request }) => guard.refusalOf(request));
    return door
      .post("/query", ({ body, request }) => refusing(() => askRoute(body, request)), {
        body: askedBody,
        detail: documentAsk,
      })
      .get(
        "/query/:id",
        ({ params: { id }, request }) =>
          isQuestionId(id) ? refusing(() => statusRoute(id, request)) : malformedId(),
        { detail: documentStatus },
      )
      .get(
        "/query/:id/events",
        ({ params: { id }, request }) =>
          isQuestionId(id) ? refusing(() => eventsRoute(id, request)) : malformedId(),
        { detail: documentEvents },
      );
  });
}

const EVENT_STREAM = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  // Proxies of the nginx kind would collect events into pages.
  "x-accel-buffering": "no",
};

function applied(patienceMs: number): Record<string, string> {
  return patienceMs > 0 ? { "preference-applied": `wait=${patienceMs / 1_000}` } : {};
}
