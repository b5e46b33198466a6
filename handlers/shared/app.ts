/**
 * The question → answer application: what the handlers get, the routes, the journal and the keeper, put together.
 *
 * In: the world that the runtime has started. Out: what it runs. Never here: what any of the parts does.
 */
import { CauceError, pause } from "cauce";
import { application, type World } from "cauce/run";
import { connectCache } from "./connect-cache.ts";
import { connectModel } from "./connect-model.ts";
import type { Deps } from "./deps.ts";
import { stepsOf } from "./flow/steps-of.ts";
import { createJournal } from "./journal.ts";
import { createKeeper } from "./keeper.ts";
import { questionRoutes } from "./routes.ts";
import { settings } from "./settings.ts";
import { openDatabase, type Database } from "./storage/database.ts";
import { migrateTables } from "./storage/migrate.ts";
import { createModelCalls } from "./storage/model-calls.ts";
import { createRepository } from "./storage/repository.ts";
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
    try {
      await prepareTables(world, database);
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
          if (newest) await cache.put(newest);
        },
        fail: (value) => repository.failQuestion(value),
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
      routes: questionRoutes({ client, repository, cache, broker, clock, journal, lookup: values.lookup }),
      observe: (step) => journal.note(stepsOf(step)),
      parts: [...asking.parts, ...cacheParts],
      tryLine: (url) =>
        `curl -s ${url}/query -H 'content-type: application/json' -d '{"title": "What is the capital of France?", "content": "", "best_answer": "Paris"}'`,
      metrics: () =>
        `# HELP llm_steps_lost_total Rows of question_step that could not be written.\n` +
        `# TYPE llm_steps_lost_total counter\nllm_steps_lost_total ${journal.lost}\n`,
      async close() {
        await keeper.close();
        await journal.close();
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
