/**
 * One fault run on a real broker: sends, watches every topic of the pipeline, and judges all of it at the end.
 *
 * In: where Kafka and Postgres are. Out: a fleet to do harm to, and a verdict. Never here: the harm.
 */
import { audit, describeAnomalies, type Fired, type LedgerEntry, type Verdict } from "cauce/testing";
import { CauceError } from "cauce";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { recordOf } from "../../runtime/engine/emit.ts";
import { topicPlans } from "../../runtime/main/topic-plans.ts";
import { Admin } from "../../runtime/kafka/index.ts";
import { testLibrary } from "../kafka/library.ts";
import { count, eventually, sql } from "../system/stage.ts";
import { allCommitted, whereItStands } from "./committed.ts";
import { Fleet } from "./fleet.ts";
import { idsOf, numbered, pipeline, ROW_DELAY_MS, spentTooMany } from "./pipeline.ts";
import { TopicReader, type Seen } from "./reader.ts";

export interface RunOptions {
  readonly brokers: string;
  readonly databaseUrl: string;
  /** Where the workers find the broker, when not where everybody else does. */
  readonly workerBrokers?: string;
  /** Where the workers find Postgres, when not where everybody else does. */
  readonly workerDatabaseUrl?: string;
  /** Do keys wait while one of their messages does? Then every message of a key that nobody delays is part of its order. */
  readonly hold?: boolean;
  /** Do outputs and offsets go in transactions? Then nothing is repeated but what a row was published for twice. */
  readonly once?: boolean;
  /** Further librdkafka properties of the workers. */
  readonly kafka?: Readonly<Record<string, string>>;
  /**
   * What may be repeated, always under the same id: what a worker that died had not committed (default), or whatever the
   * network has left in doubt.
   */
  readonly mayRepeat?: "after a death" | "when in doubt";
}

export interface RunVerdict {
  readonly passed: boolean;
  readonly successes: number;
  readonly repeats: number;
  /** What is wrong, in words; empty where nothing is. */
  readonly complaints: string;
  /** Why this machine cannot run it; then nothing was done. */
  readonly skipped?: string;
}

/** After the last fault the pipeline may not stand still for so long before it is through. */
const STANDSTILL_MS = 60_000;

export class FaultRun {
  readonly prefix: string;
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly #options: RunOptions;
  readonly #admin: Admin;
  readonly #readers: { readonly mid: TopicReader; readonly output: TopicReader; readonly dead: TopicReader };
  readonly #sent: {
    readonly n: number;
    readonly acked: boolean;
    readonly partition: number;
    readonly offset: number;
  }[] = [];

  static async open(options: RunOptions): Promise<FaultRun> {
    const prefix = `f${crypto.randomUUID().slice(0, 8)}`;
    const library = await testLibrary();
    const { brokers } = options;
    const admin = await Admin.open({ library, config: { "bootstrap.servers": brokers } });
    const bus = await createKafkaBus({ library, brokers, clientId: "faults" });
    const { topics, handlers } = pipeline({ prefix });
    await bus.ensureTopics(topicPlans(prefix, handlers));
    const [mid, output, dead] = await Promise.all(
      [topics.mid.name, topics.output.name, `${topics.input.name}.dlq`].map((name) =>
        TopicReader.open(bus, name),
      ),
    );
    if (mid === undefined || output === undefined || dead === undefined)
      throw new Error("a reader is missing");
    return new FaultRun({ prefix, options, admin, bus, readers: { mid, output, dead } });
  }

  private constructor(parts: {
    prefix: string;
    options: RunOptions;
    admin: Admin;
    bus: Bus;
    readers: { mid: TopicReader; output: TopicReader; dead: TopicReader };
  }) {
    this.prefix = parts.prefix;
    this.bus = parts.bus;
    this.#options = parts.options;
    this.#admin = parts.admin;
    this.#readers = parts.readers;
    const { brokers, workerBrokers = brokers, databaseUrl, workerDatabaseUrl = databaseUrl } = parts.options;
    this.fleet = new Fleet({
      ...parts.options,
      brokers: workerBrokers,
      databaseUrl: workerDatabaseUrl,
      prefix: parts.prefix,
      admin: parts.admin,
    });
  }

  /** How many different messages have come out so far, dead letters included. */
  get through(): number {
    return this.#readers.output.ids.size + this.#readers.dead.ids.size;
  }

  /** Sends so many more, each under its number, and notes which of them the broker has acknowledged. */
  async send(messages: number): Promise<void> {
    const { topics } = pipeline({ prefix: this.prefix });
    const numbers = Array.from({ length: messages }, (_, at) => this.#sent.length + at);
    const records = await Promise.all(
      numbers.map(async (n) =>
        recordOf(topics.input, numbered(n), {
          id: numbered(n).id,
          bornAtMs: Date.now(),
          traceparent: null,
          source: "/faults",
        }),
      ),
    );
    // Noted before anybody knows: what is sent next has other numbers, whatever becomes of these.
    const entries = numbers.map((n) => ({ n, acked: false, partition: -1, offset: -1 }));
    this.#sent.push(...entries);
    try {
      const positions = [...(await this.bus.publish(records))];
      positions.forEach((position, at) => Object.assign(entries[at] ?? {}, position, { acked: true }));
    } catch (error) {
      // Some may have been written: they may come out, and need not.
      if (!(error instanceof CauceError) || !error.retryable) throw error;
    }
  }

  /** Waits until everything that was sent has come out. */
  async finished(): Promise<void> {
    const all = this.#sent.filter(({ acked }) => acked).map(({ n }) => numbered(n));
    const outputs = all.filter(({ kind }) => kind !== "dead").map(({ id }) => idsOf(id).output);
    const dead = all.filter(({ kind }) => kind === "dead").map(({ id }) => id);
    const { output, dead: letters } = this.#readers;
    await output.until("all outputs", () => outputs.every((id) => output.ids.has(id)), STANDSTILL_MS);
    await letters.until("all dead letters", () => dead.every((id) => letters.ids.has(id)), STANDSTILL_MS);
    const onMid = this.#options.once === true ? this.#readers.mid.sightings : undefined;
    const where = { prefix: this.prefix, admin: this.#admin, bus: this.bus, onMid };
    await eventually("no record waits for its commit", () => allCommitted(where));
    if (onMid !== undefined)
      await Promise.all([output, letters].map((reader) => reader.toTheEnd(this.bus, STANDSTILL_MS)));
    await eventually("no row waits", async () => (await this.#rows("scheduled")) === 0);
    await eventually("no key is held back", async () => (await this.#rows("fence")) === 0);
  }

  /** Judges each topic. A run that is not through is judged as it is. */
  async verdict(): Promise<RunVerdict> {
    let stuck = "";
    try {
      await this.finished();
    } catch (error) {
      stuck = `${String(error)}; ${await whereItStands({ prefix: this.prefix, admin: this.#admin, bus: this.bus })}`;
    }
    const { mid, output, dead } = this.#readers;
    const alive = this.#sent.filter(({ n }) => numbered(n).kind !== "dead");
    const died = this.#sent.filter(({ n }) => numbered(n).kind === "dead");
    const { once = false, mayRepeat } = this.#options;
    const verdicts: readonly (readonly [string, Verdict])[] = [
      [
        "mid",
        audit({
          ledger: this.#ledger(alive, (id) => idsOf(id).mid),
          sightings: mid.sightings,
          fired: await this.#fired(),
          rules: {
            leastSuccesses: acknowledged(alive),
            gapless: !once,
            mayRepeat: (again, earlier) => this.#mayRepeatMid(again, earlier),
          },
        }),
      ],
      [
        "out",
        audit({
          ledger: this.#ledger(alive, (id) => idsOf(id).output),
          sightings: output.sightings,
          rules: {
            leastSuccesses: acknowledged(alive),
            gapless: !once,
            mayRepeat: (again, earlier) => this.#mayRepeatOutput(again, earlier),
          },
        }),
      ],
      [
        "dead letters",
        audit({
          ledger: this.#ledger(died, (id) => id),
          sightings: dead.sightings,
          rules: {
            leastSuccesses: acknowledged(died),
            gapless: !once,
            mayRepeat: () => !once && (this.fleet.deaths.size > 0 || mayRepeat === "when in doubt"),
          },
        }),
      ],
    ];
    const rows = await this.#rows("dead_letters");
    const spent = output.sightings.filter(({ value }) => spentTooMany(value, this.#options.hold === true));
    const complaints = [
      stuck,
      ...verdicts
        .filter(([, { passed }]) => !passed)
        .map(([name, verdict]) => `${name}: ${describeAnomalies(verdict)}`),
      spent.length === 0
        ? ""
        : `attempts were spent on what was no failure of ${spent.length} messages (${spent[0]?.id})`,
      rows >= acknowledged(died) && rows <= died.length ? "" : `${rows} rows for ${died.length} dead letters`,
    ].filter((complaint) => complaint !== "");
    return {
      passed: complaints.length === 0,
      successes: (verdicts[1]?.[1].successes ?? 0) + (verdicts[2]?.[1].successes ?? 0),
      repeats: verdicts.reduce((sum, [, { repeats }]) => sum + repeats, 0),
      complaints: complaints.join("; "),
    };
  }

  async close(): Promise<void> {
    await this.fleet.close();
    await Promise.all(Object.values(this.#readers).map((reader) => reader.close()));
    await this.bus.close();
    this.#admin.close();
  }

  #ledger(
    sent: readonly { readonly n: number; readonly acked: boolean }[],
    idOf: (id: string) => string,
  ): LedgerEntry[] {
    const { hold } = this.#options;
    return sent.map(({ n, acked }) => {
      const { id, key, seq, kind } = numbered(n);
      return {
        id: idOf(id),
        key,
        seq,
        acked,
        waited: (kind === "retried" && hold !== true) || kind === "delayed",
      };
    });
  }

  /** A worker that died may have published what no acknowledged commit tells. */
  #mayRepeatMid({ value }: Seen, earlier: readonly Seen[]): boolean {
    if (this.#options.mayRepeat === "when in doubt") return true;
    // Behind a row the input is another record; any death may have repeated it.
    if (value.kind !== "plain" || this.#options.hold === true) return this.fleet.deaths.size > 0;
    if (this.#options.once === true) return false;
    const death = this.fleet.deaths.get(earlier.at(-1)?.value.way[0] ?? "");
    const sent = this.#sent[Number(value.id.slice(2))];
    const { input } = pipeline({ prefix: this.prefix }).topics;
    return (
      death !== undefined && sent !== undefined && !death.covers(input.name, sent.partition, sent.offset)
    );
  }

  /** What was on the middle topic twice comes out twice; else the same holds for the second hop. */
  #mayRepeatOutput({ value }: Seen, earlier: readonly Seen[]): boolean {
    if (this.#options.mayRepeat === "when in doubt") return true;
    if (value.kind !== "plain" || this.#options.hold === true) return this.fleet.deaths.size > 0;
    if (this.#options.once === true) return false;
    const ofSameInput = earlier.filter((seen) => seen.value.way[0] === value.way[0]);
    const last = ofSameInput.at(-1);
    if (last === undefined) return true;
    const death = this.fleet.deaths.get(last.value.way[1] ?? "");
    const input = this.#readers.mid.sightings.find(
      (seen) => seen.value.id === value.id && seen.value.way[0] === value.way[0],
    );
    const { mid } = pipeline({ prefix: this.prefix }).topics;
    return (
      death !== undefined && input !== undefined && !death.covers(mid.name, input.partition, input.offset)
    );
  }

  /** Delayed outputs: due so long after the row was made, published on the middle topic. All on one machine's clock. */
  async #fired(): Promise<Fired[]> {
    const rows = await sql(
      this.#options.databaseUrl,
      `select message_key, floor(extract(epoch from created_at) * 1000) as made_ms from cauce.schedule_key
       where app = '${this.prefix}' and delivery = 0`,
    );
    const madeMs = new Map(rows.map((row) => [String(row["message_key"]), Number(row["made_ms"])]));
    return this.#readers.mid.sightings.flatMap(({ id, publishedMs }) => {
      const made = madeMs.get(id);
      return made === undefined ? [] : [{ id, dueMs: made + ROW_DELAY_MS, publishedMs }];
    });
  }

  #rows(table: "scheduled" | "dead_letters" | "fence"): Promise<number> {
    return count(
      this.#options.databaseUrl,
      `select count(*) from cauce.${table} where app = '${this.prefix}'`,
    );
  }
}

function acknowledged(sent: readonly { readonly acked: boolean }[]): number {
  return sent.filter(({ acked }) => acked).length;
}
