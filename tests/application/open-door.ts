/**
 * A door with the application's routes on a real Postgres, beside a broker and a cache that do as they are told.
 */
import type { Client } from "cauce/run";
import type { ResultCache } from "../../handlers/shared/cache.ts";
import { createHitCounter } from "../../handlers/shared/hit-counter.ts";
import { createKeeper } from "../../handlers/shared/keeper.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { questionRoutes } from "../../handlers/shared/routes.ts";
import { openDatabase } from "../../handlers/shared/storage/database.ts";
import { createRepository, type Repository } from "../../handlers/shared/storage/repository.ts";
import type { Result } from "../../handlers/shared/storage/results.ts";
import type { QuestionStep } from "../../handlers/shared/storage/steps.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { Elysia } from "../../runtime/ingress/routes.ts";
import { freePort } from "../services/port.ts";
import type { Stage } from "./stage.ts";

/** A door with the application's routes, a client that keeps what it is given, and switches for faults. */
export function openDoorOn(
  stage: Stage,
  changes: {
    readonly repository?: Repository;
    readonly lookup?: ("db" | "cache")[];
    /** Default: one in memory, whose entries the test may change. */
    readonly cache?: ResultCache;
  } = {},
) {
  const sent: { id: string; value: Readonly<Record<string, unknown>> }[] = [];
  const steps: QuestionStep[] = [];
  const cached = new Map<string, Result>();
  const faults: {
    send?: Error;
    room: boolean;
    connected: boolean;
    generation: string | null;
    waitMs: number;
  } = {
    room: true,
    waitMs: 0,
    connected: true,
    generation: null,
  };
  const client: Client = {
    send(_topic, value, options) {
      if (faults.send) return Promise.reject(faults.send);
      const id = options?.id ?? "";
      sent.push({ id, value: value as Readonly<Record<string, unknown>> });
      return Promise.resolve(id);
    },
  };
  const cache: ResultCache = changes.cache ?? {
    get: (id) => Promise.resolve(cached.get(id) ?? null),
    put: (result) => Promise.resolve(void cached.set(result.id, result)),
  };
  const broker = {
    get generation() {
      return faults.generation;
    },
    hasRoom: () => faults.room,
    connected: () => faults.connected,
    expectedWaitMs: () => faults.waitMs,
  };
  const repository = changes.repository ?? stage.repository;
  const options = { client, repository, cache, broker, clock: systemClock };
  const routes = questionRoutes({
    ...options,
    lookup: changes.lookup ?? ["db", "cache"],
    mostWaitMs: 60_000,
    mostPatienceMs: 0,
    feed: {
      follow: () => Promise.resolve(() => {}),
      ended: () => {},
      followers: 0,
      close: () => Promise.resolve(),
    },
    journal: { note: (noted) => void steps.push(...noted) },
    hits: createHitCounter({ note: (noted) => void steps.push(...noted), clock: systemClock }),
  });
  const door = routes(new Elysia());
  const keeper = createKeeper({
    ...options,
    log: silentLog,
    everyMs: 3_600_000,
    graceMs: 60_000,
    greatestAgeMs: 3_600_000,
  });
  return {
    sent,
    steps,
    cached,
    faults,
    keeper,
    async ask(body: unknown) {
      const request = new Request("http://door/query", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return read(await door.handle(request));
    },
    see: async (id: string) => read(await door.handle(new Request(`http://door/query/${id}`))),
  };
}

async function read(response: Response) {
  const body = (await response.json()) as Readonly<Record<string, unknown>>;
  return { status: response.status, headers: response.headers, body };
}

let asked = 0;
/** A question that nobody has asked yet. */
export const newTitle = () => `Asked number ${++asked}?`;
export const idOf = (title: string) => questionId({ title, content: "" });
/** As if the claim had been made, and its process killed, a while ago. */
export const age = (stage: Stage, id: string) =>
  stage.sql`update question set publish_tried_at = now() - interval '2 minutes' where id = ${id}`;
/** A repository whose database is not there: nobody listens. */
export const deadRepository = () =>
  createRepository(
    openDatabase({ url: `postgres://nobody@127.0.0.1:${freePort()}/none`, deadlineMs: 2_000 }),
  );
