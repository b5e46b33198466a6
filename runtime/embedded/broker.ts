/**
 * An embedded Kafka broker: librdkafka's mock cluster, hosted by the keeper, shared by all processes of a state folder.
 *
 * In: a state folder and the path of librdkafka. Out: a bootstrap address, the generation of what is behind it, topic
 * creation (the mock serves no admin requests). Everything in it is in memory: when its process dies, all messages
 * are gone, `onGone` is called and the next `attachBroker` finds, or starts, a new generation.
 * Never here: Kafka clients.
 */
import type { TopicPlan, TopicReport } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import type { Report } from "../provision/step.ts";
import { takeLease } from "./keeper.ts";
import { STOPPED_CODE, type Lease } from "./lease.ts";
import { isObject } from "./state.ts";

export interface EmbeddedBrokerOptions {
  readonly stateDir: string;
  /** Where librdkafka lies; used when this call starts the broker. */
  readonly libraryPath: string;
  readonly report: Report;
  /** How long a new keeper stays after the last lease, in ms. Default 5 s. */
  readonly graceMs?: number;
}

export interface EmbeddedBroker {
  /** Such as `127.0.0.1:40213`. */
  readonly bootstrap: string;
  /** New with every start of the broker: messages of an older one are gone. */
  readonly generation: string;
  readonly how: "started" | "attached";
  /** As `Bus.ensureTopics`; topics are those of all processes. */
  createTopics(plans: readonly TopicPlan[]): Promise<readonly TopicReport[]>;
  topics(): Promise<readonly { readonly name: string; readonly partitions: number }[]>;
  /**
   * Called once when the broker is gone, at once when it already is: `died` (attach again), or `stopped` by
   * `bun run stop` (whoever attaches again starts it again).
   */
  onGone(call: (why: "died" | "stopped") => void): void;
  /** Gives this process's lease back; the broker ends when nobody holds one. Idempotent. */
  close(): Promise<void>;
}

/**
 * Attaches to the running broker of this state folder, or starts it.
 * @throws CauceError `embedded_failed` when the keeper or librdkafka's mock cluster cannot be started.
 */
export async function attachBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const lease = await takeLease({ ...options, holder: "broker" });
  try {
    const opened = await lease.call("PUT", "/broker", { library: options.libraryPath });
    const { bootstrap, generation, how } = isObject(opened) ? opened : {};
    if (typeof bootstrap !== "string" || typeof generation !== "string") throw unexpected(opened);
    if (how === "started") {
      options.report(
        `started an in-memory broker on ${bootstrap}: its messages are gone when the last process is`,
      );
    }
    return {
      bootstrap,
      generation,
      how: how === "started" ? "started" : "attached",
      createTopics: (plans) => createTopics(lease, plans),
      topics: () => listTopics(lease),
      onGone: (call) => lease.onGone((code) => call(code === STOPPED_CODE ? "stopped" : "died")),
      async close() {
        await lease.close();
      },
    };
  } catch (thrown) {
    await lease.close();
    throw thrown;
  }
}

async function createTopics(lease: Lease, plans: readonly TopicPlan[]): Promise<readonly TopicReport[]> {
  const answer = await lease.call("PUT", "/topics", plans);
  // The keeper is our own program, proved by its mark: its list is taken as it is.
  if (Array.isArray(answer)) return answer as readonly TopicReport[];
  throw unexpected(answer);
}

async function listTopics(lease: Lease) {
  const answer = await lease.call("GET", "/broker");
  if (isObject(answer) && Array.isArray(answer["topics"])) {
    return answer["topics"] as readonly { readonly name: string; readonly partitions: number }[];
  }
  throw unexpected(answer);
}

function unexpected(answer: unknown): CauceError {
  return new CauceError("defect", `the keeper answered ${JSON.stringify(answer)}`);
}
