/**
 * The question → answer application: what the handlers get, the routes, the journal and the keeper, put together.
 *
 * In: the world that the runtime has started. Out: what it runs. Never here: what any of the parts does.
 */
import { CauceError, pause } from "cauce";
import { application, listenOn, type World } from "cauce/run";
import { connectCache } from "./connect-cache.ts";
import { connectModel } from "./connect-model.ts";
import type { Deps } from "./deps.ts";
import { keysPart, openGuard } from "./door/guard-door.ts";
import type { KeyGuard } from "./door/key-guard.ts";
import { createStepFeed } from "./door/step-feed.ts";
import { stepsOf } from "./flow/steps-of.ts";
import { createHitCounter } from "./hit-counter.ts";
import { createJournal } from "./journal.ts";
import { createKeeper } from "./keeper.ts";
import { questionRoutes } from "./routes.ts";
import { settings } from "./settings.ts";
import { openDatabase, type Database } from "./storage/database.ts";
import { migrateTables } from "./storage/migrate.ts";
import { createModelCalls } from "./storage/model-calls.ts";
import { createRepository } from "./storage/repository.ts";
import { STEPS_CHANNEL } from "./storage/steps.ts";
import { createViews } from "./storage/views.ts";

const MIGRATE_AGAIN_MS = 1_000;
/** How long after its deadline a model call may take to be written down before another process may make it again. */
const LEASE_SPARE_MS = 2_000;

export default application({
  name: "llm",
  settings,
  async migrate({ url, schema }) {
    const database = openDatabase({ url, connections: 1 });
    try {
      await migrateTables(url);
      await createViews(database, schema);
    } finally {
      await database.close();
    }
  },
  async start(world) {
    const { settings: values, clock, random, log, client, broker } = world;
    const asking = await connectModel(values, world);
    const { cache, parts: cacheParts } = connectCache(values, world);
    const database = openDatabase({ url: world.database.url });
    const repository = createRepository(database, world.database.schema);
    let guard: KeyGuard;
    try {
      await prepareTables(world, database);
      guard = await openGuard(world, repository);
    } catch (thrown) {
      // A server that stays open keeps a process alive that has nothing to do.
      await Promise.all([database.close(), asking.close()]);
      throw thrown;
    }

    const journal = createJournal({ write: (steps) => repository.writeSteps(steps), clock, log });
    const keeper = createKeeper({
      client,
      repository,
      broker,
      clock,
      log,
      everyMs: values.keepEveryMs,
      graceMs: values.claimGraceMs,
      greatestAgeMs: values.greatestAgeMs,
      ended: ({ id, round, reason }) =>
        journal.note([{ id, round, step: "failed", atMs: clock.nowMs(), detail: { reason } }]),
    });
    const hits = createHitCounter({ note: (steps) => journal.note(steps), clock });
    const feed = createStepFeed({
      repository,
      listen: (heard) =>
        listenOn({ url: world.database.listenUrl, channel: STEPS_CHANNEL, clock, heard: () => heard() }),
      clock,
      log,
      most: values.mostFollowers,
    });
    const deps: Deps = {
      model: asking.model,
      judge: asking.judge,
      calls: createModelCalls(database, {
        leaseMs: values.modelTimeoutMs + LEASE_SPARE_MS,
        prices: asking.prices,
      }),
      results: {
        async store(value) {
          const newest = await repository.storeResult(value);
          feed.ended(value.id);
          if (newest) await cache.put(newest);
        },
        async fail(value) {
          await repository.failQuestion(value);
          feed.ended(value.id);
        },
      },
      limits: {
        maxAttempts: values.maxAttempts,
        maxAgeMs: values.greatestAgeMs,
        rateLimitBaseMs: values.rateLimitBaseMs,
        failureBaseMs: values.failureBaseMs,
        capMs: values.retryCapMs,
        regenThreshold: values.regenThreshold,
        model: {
          requestsPerMinute: values.requestsPerMinute,
          tokensPerMinute: values.tokensPerMinute,
          inFlight: values.modelInFlight,
        },
      },
      clock,
      random,
    };
    return {
      deps,
      routes: questionRoutes({
        client,
        repository,
        cache,
        broker,
        clock,
        journal,
        hits,
        feed,
        guard,
        lookup: values.lookup,
        mostWaitMs: values.admitWaitS * 1_000,
        mostPatienceMs: values.mostPatienceS * 1_000,
      }),
      observe: (step) => journal.note(stepsOf(step)),
      parts: [...asking.parts, ...cacheParts, keysPart(world, guard)],
      tryLine: (url) =>
        `curl -s ${url}/query -H 'content-type: application/json' -d '{"title": "What is the capital of France?", "content": "", "best_answer": "Paris"}'`,
      metrics: () =>
        `# HELP llm_steps_lost_total Rows of question_step that could not be written.\n` +
        `# TYPE llm_steps_lost_total counter\nllm_steps_lost_total ${journal.lost}\n` +
        `# HELP llm_followers Requests that wait for an answer, and event streams.\n` +
        `# TYPE llm_followers gauge\nllm_followers ${feed.followers}\n` +
        `# HELP llm_expected_wait_seconds How long a new question waits for those before it.\n` +
        `# TYPE llm_expected_wait_seconds gauge\nllm_expected_wait_seconds ${broker.expectedWaitMs() / 1_000}\n`,
      async close() {
        guard.close();
        await keeper.close();
        await feed.close();
        hits.close();
        await journal.close();
        await repository.settled();
        await database.close();
        await asking.close();
      },
    };
  },
});

/** A database that is away at the start is waited for, and said so. @throws CauceError `aborted` when told to stop. */
async function prepareTables(
  { database: { url, schema }, clock, log, stopping }: World<unknown>,
  database: Database,
): Promise<void> {
  for (let said = false; ; said = true) {
    try {
      await migrateTables(url);
      await createViews(database, schema);
      return;
    } catch (thrown) {
      if (!(thrown instanceof CauceError && thrown.code === "unavailable")) throw thrown;
      if (!said) log.warn("waiting for the database", { why: thrown.message });
      await pause(clock, MIGRATE_AGAIN_MS, stopping);
      if (stopping.aborted) throw new CauceError("aborted", "stopped before the database was there");
    }
  }
}
