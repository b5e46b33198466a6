/**
 * The application's routes behind the real door, on a test's database: as one process of several that share it.
 *
 * In: a stage, changes. Out: its address, and what the others would do: steps, results, ends. `close` ends it like a process.
 */
import type { Client } from "cauce/run";
import type { KeyGuard } from "../../handlers/shared/door/key-guard.ts";
import { questionRoutes } from "../../handlers/shared/routes.ts";
import type { QuestionStep } from "../../handlers/shared/storage/steps.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import type { IngressLimits } from "../../runtime/ingress/limits.ts";
import { startIngress } from "../../runtime/ingress/start.ts";
import { feedOn } from "./given-feed.ts";
import { resultFor, type Stage } from "./stage.ts";

export interface ServeOptions {
  readonly mostPatienceMs?: number;
  readonly heartbeatMs?: number;
  readonly mostFollowers?: number;
  readonly recheckMs?: number;
  /** Announcements do not arrive. */
  readonly deaf?: boolean;
  readonly limits?: Partial<IngressLimits>;
  readonly guard?: KeyGuard;
  readonly expectedWaitMs?: () => number;
  /** Default: one that sends nothing anywhere. */
  readonly client?: Client;
  /** Each question that is asked is answered at once, as by another process. Default: none is. */
  readonly answering?: boolean;
}

export async function serveDoor(stage: Stage, options: ServeOptions = {}) {
  const { mostFollowers, recheckMs, deaf, heartbeatMs, guard } = options;
  const feed = feedOn(stage, {
    ...(mostFollowers !== undefined && { most: mostFollowers }),
    ...(recheckMs !== undefined && { recheckMs }),
    ...(deaf !== undefined && { deaf }),
  });
  const ingress = await startIngress({
    port: 0,
    routes: questionRoutes({
      client: options.client ?? {
        send(_topic, value, { id = "" } = {}) {
          if (options.answering) void finish(stage, (value as { readonly id: string }).id);
          return Promise.resolve(id);
        },
      },
      repository: stage.repository,
      cache: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
      broker: {
        generation: null,
        hasRoom: () => true,
        connected: () => true,
        expectedWaitMs: options.expectedWaitMs ?? (() => 0),
      },
      lookup: ["db", "cache"],
      clock: systemClock,
      journal: { note: () => undefined },
      hits: { count: () => undefined },
      mostWaitMs: 60_000,
      mostPatienceMs: options.mostPatienceMs ?? 60_000,
      feed,
      ...(heartbeatMs !== undefined && { heartbeatMs }),
      ...(guard && { guard }),
    }),
    log: silentLog,
    metrics: () => "",
    ready: () => ({ ready: true, parts: {} }),
    clock: systemClock,
    ...(options.limits && { limits: options.limits }),
  });
  return {
    url: ingress.url,
    feed,
    ask: (body: object, init: { readonly headers?: Record<string, string>; readonly query?: string } = {}) =>
      fetch(`${ingress.url}/query${init.query ?? ""}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...init.headers },
        body: JSON.stringify(body),
      }),
    async close() {
      await ingress.stop();
      await feed.close();
    },
  };
}

/** Another process writes what it saw of a question. */
export function writeStep(
  stage: Stage,
  id: string,
  step: QuestionStep["step"],
  detail: QuestionStep["detail"] = {},
): Promise<void> {
  return stage.repository.writeSteps([
    { id, round: 1, step, atMs: Date.now(), handler: "llm.requests", detail },
  ]);
}

/** Another process stores the result, and a moment later the row that says so. */
export async function finish(stage: Stage, id: string): Promise<void> {
  await stage.repository.storeResult(resultFor(id));
  await writeStep(stage, id, "stored", { score: 8.5 });
}

/** Resolves when it holds. Looked at again and again: what it waits for has no event of its own. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(5);
  }
}
