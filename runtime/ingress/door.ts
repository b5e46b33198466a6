/**
 * Everything behind the socket: the application's routes, the operators' routes and what guards them.
 *
 * In: a request. Out: a response, always. Order: path → trace → route → body → schema → text → handler.
 * Never here: ports, stopping.
 */
import { Elysia } from "elysia";
import type { Clock, Random } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import { apiPage } from "./api-page.ts";
import { readBody } from "./body.ts";
import { uncarriable, uncarried } from "./carried-text.ts";
import { answerFailure } from "./failure.ts";
import type { IngressLimits } from "./limits.ts";
import { methodsOf } from "./methods.ts";
import { openApiDocument } from "./openapi.ts";
import type { OperatorGuard } from "./operator-guard.ts";
import { operatorRoutes, type Readiness } from "./operator-routes.ts";
import { problem } from "./problem.ts";
import type { Routes } from "./routes.ts";
import { beginTrace } from "./trace-of.ts";

/** One answered request, told after the answer was made. */
export interface Answered {
  /** One of the usual methods, or "other". */
  readonly method: string;
  /** The declared path ("/query/:id"), never the asked one; "unmatched" when there is none. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface DoorOptions {
  readonly routes?: Routes;
  readonly log: Log;
  readonly metrics: (() => string | Promise<string>) | null;
  readonly guard: OperatorGuard;
  readonly ready: () => Readiness;
  readonly ageMs: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: IngressLimits;
  readonly answered?: (answered: Answered) => void;
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Builds the door. The returned function never rejects. */
export function buildDoor(options: DoorOptions): (request: Request) => Promise<Response> {
  const { clock, log, random } = options;
  const routeOf = new WeakMap<Request, string>();
  const app = assemble(options, routeOf);

  const answer = async (request: Request): Promise<Response> => {
    try {
      const unreadable = refuseAddress(request);
      if (unreadable) return unreadable;
      beginTrace(request, random);
      return await app.fetch(request);
    } catch (thrown) {
      log.error("a request failed outside of its route", { error: thrown });
      return problem(500, { title: "Internal error", detail: "the failure was logged" });
    }
  };

  return async (request) => {
    const startedMs = clock.monotonicMs();
    const response = await answer(request);
    const told: Answered = {
      method: METHODS.has(request.method) ? request.method : "other",
      route: routeOf.get(request) ?? "unmatched",
      status: response.status,
      durationMs: clock.monotonicMs() - startedMs,
    };
    log.debug("answered", { ...told });
    try {
      options.answered?.(told);
    } catch (thrown) {
      log.error("an observer of requests failed", { error: thrown });
    }
    return response;
  };
}

function assemble(options: DoorOptions, routeOf: WeakMap<Request, string>): Elysia {
  const { log, limits, clock } = options;
  // What is set here is for the whole door; routes that are declared later take it over.
  // Elysia looks for the path behind the 11th character of the URL unless told otherwise, and misses it for `Host: x`.
  const app = new Elysia({ handler: { standardHostname: false } });
  app.onParse(({ request }) => readBody(request, { limits, clock }));
  app.onTransform(({ request, route }) => {
    routeOf.set(request, route);
  });
  // What a schema has let through must be text that can go on; what it has left out does not matter.
  app.onBeforeHandle(({ body }) => {
    const errors = uncarried(body);
    return errors.length > 0 ? uncarriable(errors) : undefined;
  });
  app.onError(({ request, route, error, code }) => {
    if (route) routeOf.set(request, route);
    const { retryAfterS } = limits;
    return answerFailure({ request, thrown: error, code: String(code), log, retryAfterS, methods });
  });
  app.use(operatorRoutes({ ...options, staleMs: limits.staleMs }));
  const declared = options.routes?.(app);
  if (declared && declared !== app) app.use(declared);
  let document: object | undefined;
  app.get("/openapi/json", () => Response.json((document ??= openApiDocument(app))), {
    detail: { hide: true },
  });
  app.get("/openapi", apiPage, { detail: { hide: true } });
  const methods = methodsOf(app.routes);
  app.compile();
  return app;
}

/** Nothing in it can be misread: no escapes, no query, an ordinary host. Most are, and reading one costs as much as a route. */
const PLAIN_ADDRESS = /^http:\/\/[a-z0-9][a-z0-9.-]{0,100}(?::\d{1,4})?\/[\w./-]*$/i;

/** Addresses that no route should have to think about: an unreadable host, broken percent-encoding, U+0000. */
function refuseAddress(request: Request): Response | null {
  const title = "The address is not readable";
  if (PLAIN_ADDRESS.test(request.url) && !request.headers.get("host")?.includes(",")) return null;
  // Bun leaves the URL without a host when the header holds none that it can use.
  if (!URL.canParse(request.url)) return problem(400, { title, detail: "the host header names no host" });
  // Two of them arrive as a list.
  if (request.headers.get("host")?.includes(","))
    return problem(400, { title, detail: "there is more than one host header" });
  const { pathname, search } = new URL(request.url);
  try {
    if (!decodeURIComponent(pathname + search).includes("\u0000")) return null;
    return problem(400, { title, detail: "it contains U+0000 (NUL)" });
  } catch {
    return problem(400, { title, detail: "its percent-encoding is broken or is not UTF-8" });
  }
}
