/**
 * What an application hands to the runtime beside its handlers: settings, dependencies, routes, an observer.
 *
 * In: the world that the runtime has started. Out: what handlers need and what the door serves.
 * Never here: start order (main.ts) or real forms of bus and store.
 */
import type { SettingDeclarations, SettingValues } from "../config/settings.ts";
import type { Clock, Random } from "../ground/clock.ts";
import type { Duration } from "../ground/duration.ts";
import type { Log } from "../ground/log.ts";
import type { AnyTopic, InputOf } from "../handler/topic.ts";
import type { Routes } from "../ingress/routes.ts";
import type { Outbox } from "./outbox.ts";

/** Sends messages from code that is no handler. */
export interface Client {
  /**
   * Publishes one value and resolves with the message's id when the broker has acknowledged it, or, with `after`, when
   * the row is committed. The same `id` may be sent again: readers see one message id.
   * @throws CauceError `invalid_value` when the schema refuses it, `unavailable` or `broker` when it could not be sent.
   */
  send<T extends AnyTopic>(topic: T, value: InputOf<T>, options?: SendOptions): Promise<string>;
}

export interface SendOptions {
  /** The message's id. Default: a random one. */
  readonly id?: string;
  readonly after?: Duration;
  /** Why it waits, for the people who look at the schedule. */
  readonly reason?: string;
  /** W3C trace that this message belongs to. */
  readonly traceparent?: string;
}

/** One step of one message, told after it happened. Observers must be quick and must not throw. */
export interface Step {
  readonly kind: "started" | "settled";
  readonly handler: string;
  readonly topic: string;
  readonly messageId: string;
  readonly attempt: number;
  readonly deferrals: number;
  readonly delivery: number;
  /** The decoded value; undefined when it could not be read. */
  readonly value: unknown;
  readonly atMs: number;
  /** Only when settled. `retry`: back to the same handler after `delayMs`. */
  readonly outcome?: "done" | "retry" | "dead";
  /** Why a retry waits or a message died: the error's class or code, and its words. */
  readonly reason?: string;
  readonly error?: string;
  readonly delayMs?: number;
  /** What was published or scheduled (`afterMs` not null). */
  readonly outputs?: readonly {
    readonly topic: string;
    readonly value: unknown;
    readonly afterMs: number | null;
    readonly reason: string;
  }[];
}

export interface World<S> {
  readonly settings: S;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly client: Client;
  /** Sends messages in a transaction of the application's own, on the same database: `outbox(tx).send(topic, value)`. */
  readonly outbox: Outbox;
  /** Postgres's address for the application's own tables, and whether it was started by us. */
  readonly database: {
    readonly url: string;
    /** The same database by a way that carries LISTEN, where the other one leads through a pooler. */
    readonly listenUrl: string;
    readonly embedded: boolean;
    /** Where the runtime's own tables and views are (`schedule`, `dead_letter`, …). */
    readonly schema: string;
  };
  readonly broker: {
    readonly embedded: boolean;
    /** Changes when an embedded broker starts anew and everything that was in flight is gone; null on a real one. */
    readonly generation: string | null;
    /** Would one more question fit? False while an embedded broker is half full. */
    hasRoom(): boolean;
    /**
     * How long a message that is sent now waits in line, in ms: what the handlers' groups have not committed, over the rate at
     * which they do, of all processes together. 0 while nothing is known.
     */
    expectedWaitMs(): number;
    readonly connected: () => boolean;
  };
  readonly door: {
    /** The door listens on this machine's loopback alone: nobody else reaches it. */
    readonly loopback: boolean;
    /** Others reach it, and nothing but itself guards it. */
    readonly exposed: boolean;
  };
  /** Which parts this process runs: may it serve routes, which handlers. */
  readonly runs: { readonly ingress: boolean; readonly handlers: readonly string[] };
  /** True with NODE_ENV=production: nothing may be fetched, built or embedded. */
  readonly production: boolean;
  /** Aborts when the process is asked to stop: a start that waits for something gives up then, with `aborted`. */
  readonly stopping: AbortSignal;
}

export interface Started<Deps> {
  /** Handed to every handler as `deps`. */
  readonly deps: Deps;
  readonly routes?: Routes;
  readonly observe?: (step: Step) => void;
  /** Lines for the start-up report: what is real and what is a stand-in. */
  readonly parts?: readonly { readonly part: string; readonly what: string; readonly standIn: boolean }[];
  /** A line to try, shown when everything is up; the door's address is handed in. */
  readonly tryLine?: (url: string) => string;
  /** More lines of Prometheus text for `/metrics`. */
  readonly metrics?: () => string;
  close(): Promise<void>;
}

export interface Application<D extends SettingDeclarations = SettingDeclarations, Deps = unknown> {
  /** Prefix of consumer groups and owner of schedule rows. */
  readonly name: string;
  readonly settings: D;
  start(world: World<SettingValues<D>>): Promise<Started<Deps>>;
  /** For `cauce migrate`: brings the application's own tables to this version. Any number of processes may call it at once. */
  readonly migrate?: (database: { readonly url: string; readonly schema: string }) => Promise<void>;
}

/** Declares an application. The file that `package.json` names under `cauce.app` exports it as default. */
export function application<const D extends SettingDeclarations, Deps>(
  declaration: Application<D, Deps>,
): Application<D, Deps> {
  return Object.freeze({ ...declaration });
}
