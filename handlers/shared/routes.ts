/**
 * The application's HTTP routes: ask a question, see where one is.
 *
 * In: requests that the door has read and bounded. Out: results, acknowledgements, problem details.
 * Never here: what asking means (ask.ts).
 */
import { CauceError } from "cauce";
import type { Client } from "cauce/run";
import { problem, routes, traceOf, type Routes } from "cauce/ingress";
import { ask, type Asking } from "./ask.ts";
import type { Journal } from "./journal.ts";
import { askedBody, documentAsk, documentStatus } from "./route-schemas.ts";
import type { Repository } from "./storage/repository.ts";
import type { Result } from "./storage/results.ts";
import type { QuestionStatus } from "./storage/status.ts";

export interface RouteOptions extends Asking {
  readonly client: Client;
  readonly repository: Asking["repository"] & Pick<Repository, "findStatus">;
  readonly journal: Pick<Journal, "note">;
  readonly clock: Asking["clock"] & { nowMs(): number };
}

const RETRY_AFTER_SECONDS = "5";

export function questionRoutes(options: RouteOptions): Routes {
  const note = (step: "queued" | "hit", id: string, round: number, detail: Record<string, unknown>) =>
    options.journal.note([{ id, round, step, atMs: options.clock.nowMs(), detail }]);

  return routes((door) =>
    door
      .post(
        "/query",
        async ({ body, request }) => {
          try {
            const asked = await ask(body, { ...options, traceparent: traceOf(request) });
            if (asked.kind === "hit") {
              const { id, round, score } = asked.result;
              note("hit", id, round, { from: asked.from, score });
              return Response.json({ hit: true, from: asked.from, ...shown(asked.result) });
            }
            const { id, round } = asked;
            if (round !== null) note("queued", id, round, {});
            return Response.json(
              { queued: true, id },
              { status: 202, headers: { location: `/query/${id}` } },
            );
          } catch (thrown) {
            return refusal(thrown);
          }
        },
        { body: askedBody, detail: documentAsk },
      )
      .get(
        "/query/:id",
        async ({ params: { id } }) => {
          if (!/^[0-9a-f]{32}$/.test(id)) {
            const errors = [{ field: "id", message: "expected 32 hex digits, as POST /query answered" }];
            return problem(400, { title: "This is no question id", errors });
          }
          try {
            const status = await options.repository.findStatus(id);
            return status ? Response.json(told(status)) : unknown(id);
          } catch (thrown) {
            const result = await options.cache.get(id);
            if (!result) return refusal(thrown);
            return Response.json({ ...shown(result), state: "done", since: result.created_at });
          }
        },
        { detail: documentStatus },
      ),
  );
}

function shown({
  id,
  answer,
  score,
  rubric,
  below_threshold,
  model,
  judge,
  title,
  round,
  created_at,
}: Result) {
  return { id, title, answer, score, rubric, below_threshold, model, judge, round, created_at };
}

function told({ id, title, round, state, since, waiting, reason, result }: QuestionStatus) {
  return {
    id,
    title,
    state,
    since,
    round,
    ...(waiting && { waiting_until: waiting.until, reason: waiting.reason }),
    ...(reason !== undefined && { reason }),
    ...(result && shown(result)),
    // A newer round may be on its way while an older one's result answers.
    ...(result && result.round !== round && { round, result_round: result.round }),
  };
}

function unknown(id: string): Response {
  return problem(404, { title: "No such question", detail: `nobody has asked ${id}; POST /query asks` });
}

/** What is away now is 503 with a time to come back; anything else is for the door to log and answer. */
function refusal(thrown: unknown): Response {
  if (!(thrown instanceof CauceError)) throw thrown;
  if (thrown.code === "unavailable") {
    return problem(503, {
      title: "Not now",
      detail: "the question can be neither answered nor kept at the moment; ask again in a few seconds",
      headers: { "retry-after": RETRY_AFTER_SECONDS },
    });
  }
  if (thrown.code === "record_too_large") {
    return problem(413, { title: "Too large", detail: "the broker takes no question as large as this one" });
  }
  throw thrown;
}
