/**
 * Start order and shutdown, and nothing else.
 *
 * Settings → infrastructure (library, broker, Postgres, bus, store) → application → door → topics → consumers → scheduler.
 * A message's way, in reading order: ingress/start.ts → the application's route → engine/client.ts → [topic] →
 * engine/consumer.ts → engine/process.ts → engine/settle.ts → scheduler/scheduler.ts → [topic].
 */
import type { Started, World } from "./application/application.ts";
import type { GroupTopics } from "./bus/bus.ts";
import { runtimeSettings } from "./config/runtime-settings.ts";
import {
  readSettings,
  type Environment,
  type SettingDeclarations,
  type SettingValues,
} from "./config/settings.ts";
import { createClient } from "./engine/client.ts";
import type { ConsumerOptions } from "./engine/consumer-options.ts";
import { startConsumer, type Consumer } from "./engine/consumer.ts";
import { Neighbours } from "./engine/neighbours.ts";
import { namesFor } from "./engine/names.ts";
import { persist } from "./engine/persist.ts";
import { systemClock } from "./ground/clock.ts";
import { CauceError } from "./ground/errors.ts";
import type { Log } from "./ground/log.ts";
import type { Handler } from "./handler/handler.ts";
import { isLoopback } from "./ingress/loopback.ts";
import type { Readiness } from "./ingress/start.ts";
import { isExposed, openDoor, openHealth } from "./main/door.ts";
import { openInfrastructure, type Infrastructure } from "./main/infrastructure.ts";
import type { Project } from "./main/project.ts";
import type { PartLine } from "./main/report.ts";
import { meterPace, type Pace } from "./main/pace.ts";
import { meterRoom, type Room } from "./main/room.ts";
import { select, type Selection } from "./main/selection.ts";
import { settledStep, startedStep } from "./main/steps.ts";
import { openTelemetry, type Telemetry } from "./main/telemetry.ts";
import { scheduledTopics, topicPlans } from "./main/topic-plans.ts";
import { createOutbox } from "./outbox/outbox.ts";
import { ensureTopics, watchTopics } from "./main/topics.ts";
import type { Report } from "./provision/step.ts";
import { startScheduler } from "./scheduler/scheduler.ts";
import type { Watch } from "./watchdog/watch.ts";

export interface StartOptions {
  readonly project: Project;
  readonly environment: Environment;
  readonly log: Log;
  /** Progress of what takes long: fetching, building, starting. */
  readonly report: Report;
  /** Told what runs, and asked what may run. Default: nobody watches. */
  readonly watch?: Watch;
  /** Ends a start that waits for infrastructure. */
  readonly signal: AbortSignal;
}

export interface Running {
  /** The door's address; null when this process has none. */
  readonly url: string | null;
  readonly parts: readonly PartLine[];
  readonly tryLine: string | null;
  /** Are broker, database and all assignments there? As `/readyz` answers. */
  readonly readiness: () => Readiness;
  /**
   * Resolves when the embedded broker is gone: it `died`, and everything must be started anew, or somebody `stopped` it, and
   * with it what this process works on.
   */
  readonly brokerGone: Promise<"died" | "stopped">;
  /**
   * Stops taking, drains (at most `drainMs`, by default as the setting says; 0 gives up what runs), commits, leaves, closes: in
   * seconds, whatever the infrastructure does.
   */
  stop(drainMs?: number): Promise<void>;
}

/** @throws CauceError when settings, declarations or infrastructure cannot be used; what was opened is closed again. */
export async function start(options: StartOptions): Promise<Running> {
  const { project, environment, log, signal } = options;
  const { application, handlers } = project;
  const settings = readSettings(
    { ...runtimeSettings, ...application.settings },
    environment,
  ) as SettingValues<typeof runtimeSettings & SettingDeclarations>;
  const selection = select(settings.run, handlers);
  const clock = systemClock;
  const random = Math.random;
  const app = application.name;
  const closers: ((drainMs: number) => Promise<void>)[] = [];
  // Until our topics stand, a message could make a broker invent them with partitions of its own choosing.
  let topicsReady = false;
  const stop = async (drainMs: number = settings.drainMs) => {
    for (const close of closers.splice(0).toReversed()) await close(drainMs);
  };
  try {
    const infrastructure = await openInfrastructure({
      app,
      projectDir: project.dir,
      settings,
      environment,
      clock,
      log,
      report: options.report,
      signal,
    });
    closers.push((drainMs) => infrastructure.close(drainMs));
    const { store } = infrastructure;
    const room = infrastructure.generation === null ? null : openRoom(app, handlers, infrastructure, log);
    if (room !== null) closers.push(() => room.stop());
    const bus = room?.bus ?? infrastructure.bus;
    const pace = selection.ingress ? openPace(app, handlers, infrastructure, log) : null;
    if (pace !== null) closers.push(() => pace.stop());
    const world: World<SettingValues<SettingDeclarations>> = {
      settings,
      log,
      clock,
      random,
      client: createClient({ app, bus, store, clock, ready: () => topicsReady }),
      outbox: createOutbox({ app, schema: settings.databaseSchema, clock }),
      database: {
        url: infrastructure.databaseUrl,
        listenUrl: settings.databaseDirectUrl ?? infrastructure.databaseUrl,
        embedded: infrastructure.databaseEmbedded,
        schema: settings.databaseSchema,
      },
      broker: {
        embedded: infrastructure.generation !== null,
        generation: infrastructure.generation,
        hasRoom: () => room?.hasRoom() ?? true,
        expectedWaitMs: () => pace?.expectedWaitMs() ?? 0,
        connected: () => bus.connected,
      },
      door: { loopback: isLoopback(settings.host), exposed: isExposed(settings) },
      runs: { ingress: selection.ingress, handlers: selection.handlers.map((handler) => handler.name) },
      production: settings.nodeEnv === "production",
      stopping: signal,
    };
    const started = await application.start(world);
    closers.push(() => started.close());
    const consumers: Consumer[] = [];
    const telemetry = openTelemetry({
      bus,
      store,
      consumers,
      expected: selection.handlers.length,
      clock,
      started,
    });
    closers.push(() => telemetry.stop());
    const health = selection.ingress ? null : await openHealth({ settings, clock, log, ...telemetry.door });
    // Stops after what is drained: whoever asks meanwhile hears that this process lives.
    if (health !== null) closers.push(() => health.stop());
    // Doors stop together, before anything that they need is closed.
    const doors: ((drainMs: number) => Promise<void>)[] = [(drainMs) => stopAll(consumers, drainMs)];
    closers.push(async (drainMs) => void (await Promise.all(doors.map((stopDoor) => stopDoor(drainMs)))));
    const door = selection.ingress
      ? await openDoor({ settings, started, clock, log, ...telemetry.door })
      : null;
    if (door !== null) doors.push(() => door.stop());

    // A request to a broker that is away takes its time to fail; who is told to stop does not wait for that.
    const stopped = rejectionOn(signal);
    const plans = topicPlans(app, handlers);
    const ensuring = () => ensureTopics({ plans, ensure: infrastructure.ensureTopics, log });
    const known = await persist(() => Promise.race([ensuring(), stopped]), {
      clock,
      random,
      signal,
      failed: (error, tries) => {
        if (tries === 1) log.warn("waiting for Kafka", { error: error.message });
      },
    });
    topicsReady = true;
    // An embedded broker's topics stay as they are.
    if (infrastructure.generation === null) {
      const watching = watchTopics({ known, bus, clock, log });
      closers.push(() => Promise.resolve(watching.stop()));
    }
    const detour = room === null ? undefined : () => !room.hasRoom();
    const neighbours = new Neighbours(clock);
    for (const handler of selection.handlers) {
      const observed = observe(handler, started, telemetry);
      consumers.push(
        await startConsumer({
          handler,
          names: namesFor(app, handler),
          deps: started.deps,
          bus,
          store,
          clock,
          random,
          log,
          neighbours,
          ...(detour && { detour }),
          ...(options.watch && { watch: options.watch }),
          ...observed,
        }),
      );
    }
    if (selection.scheduler) {
      const topics = scheduledTopics(app, handlers);
      const scheduler = startScheduler({
        store,
        publish: (records) => bus.publish(records),
        topics: [...topics.keys()],
        declared: { app, topics },
        clock,
        log,
        observe: { published: telemetry.published, parked: telemetry.parked },
      });
      doors.push((drainMs) => scheduler.stop(drainMs));
    }
    return {
      url: door?.url ?? null,
      parts: [
        ...infrastructure.parts,
        ...(started.parts ?? []),
        ...partsOf(selection, door?.url ?? null, settings.port),
        ...(health === null ? [] : [{ part: "health", what: health.url, standIn: false }]),
      ],
      tryLine: door === null ? null : (started.tryLine?.(door.url) ?? null),
      readiness: telemetry.door.ready,
      brokerGone: infrastructure.brokerGone,
      stop,
    };
  } catch (error) {
    // Told to stop once a broker had answered: those that have joined their groups leave them as ever.
    await (signal.aborted && topicsReady ? stop() : stop(0));
    throw error;
  }
}

/** Rejects with `aborted` when the signal does; the rejection may go unheard. */
function rejectionOn(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const stop = () => reject(new CauceError("aborted", "stopped before everything was there"));
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return promise;
}

async function stopAll(consumers: readonly Consumer[], drainMs: number): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.stop(drainMs)));
}

function openRoom(app: string, handlers: readonly Handler[], { bus }: Infrastructure, log: Log): Room {
  return meterRoom({ bus, groups: groupsOf(app, handlers), clock: systemClock, log });
}

function openPace(app: string, handlers: readonly Handler[], { bus }: Infrastructure, log: Log): Pace {
  return meterPace({ bus, groups: groupsOf(app, handlers), clock: systemClock, log });
}

function groupsOf(app: string, handlers: readonly Handler[]): GroupTopics[] {
  return handlers.map((handler) => {
    const { group, retryTopic } = namesFor(app, handler);
    return { group, topics: [handler.on.name, retryTopic] };
  });
}

/** An application that observes nothing costs a message nothing. */
function observe(
  handler: Handler,
  started: Started<unknown>,
  telemetry: Telemetry,
): Pick<ConsumerOptions, "started" | "settled"> {
  const settled = telemetry.settledBy(handler.name);
  if (started.observe === undefined)
    return { settled: (_processed, outcome, elapsedMs) => settled(outcome, elapsedMs) };
  return {
    started: (envelope, value) =>
      started.observe?.(startedStep(handler, envelope, value, systemClock.nowMs())),
    settled(processed, outcome, elapsedMs) {
      settled(outcome, elapsedMs);
      started.observe?.(settledStep(handler, processed, outcome));
    },
  };
}

function partsOf(selection: Selection, url: string | null, port: number): PartLine[] {
  const door =
    url ?? (selection.ingress ? `port ${port} belongs to another Cauce` : "not in this process (RUN)");
  return [
    {
      part: "handlers",
      what: selection.handlers.map((handler) => handler.name).join(", ") || "none (RUN)",
      standIn: false,
    },
    {
      part: "scheduler",
      what: selection.scheduler ? "publishes due rows" : "not in this process (RUN)",
      standIn: false,
    },
    { part: "door", what: door, standIn: false },
  ];
}
