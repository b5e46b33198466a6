/**
 * The pipeline split over two processes on a real Kafka, and what comes onto its topics from elsewhere.
 *
 * The application's topics and groups have fixed names, so that on one broker only one test file may run it: this one has
 * the shared broker, others start their own or use the embedded one.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka, type KafkaBroker } from "../services/kafka.ts";
import { createDatabase } from "../services/postgres.ts";
import { post, question, questions, queue, reaches } from "./asking.ts";
import { clearStage, count, eventually, sql, startCauce, type Cauce, type Settings } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

const TOPICS = ["llm.requests", "llm.generated", "llm.errors", "llm.validated", "llm.failed"] as const;
const MODEL_PARTS = "llm.requests,llm.generated";
const OTHER_PARTS = "ingress,scheduler,llm.errors,llm.validated,llm.failed";

let kafka: KafkaBroker;
let bus: Bus;
let database = "";
let settings: Settings = {};
let withModel: Cauce;
let withDoor: Cauce;
let door = "";

beforeAll(async () => {
  kafka = await sharedKafka();
  database = await createDatabase("system");
  bus = await createKafkaBus({ library: await testLibrary(), brokers: kafka.brokers, clientId: "elsewhere" });
  settings = {
    KAFKA_BROKERS: kafka.brokers,
    DATABASE_URL: database,
    OFFLINE_FAULTS: "rate_limit=0.2,garbage=0.1",
    OFFLINE_LATENCY_MS: "20",
  };
  withModel = startCauce({ settings: { ...settings, RUN: MODEL_PARTS } });
  withDoor = startCauce({ settings: { ...settings, RUN: OTHER_PARTS } });
  door = await withDoor.door();
});
afterAll(async () => {
  await clearStage();
  await bus.close();
});

describe("a pipeline that is split over two processes", () => {
  test("answers questions, though only one of them has a door and only the other one a model", async () => {
    expect(await withModel.up()).toBeNull();
    const ids = await Promise.all(questions("Split", 20).map((asked) => queue(door, asked)));
    for (const id of ids) await reaches(door, id, "done", "failed");
    expect(await count(database, "select count(*) from response_event")).toBe(20);
  });

  test("keeps questions while the process with the model is gone", async () => {
    await withModel.kill();
    const ids = await Promise.all(questions("Alone", 10).map((asked) => queue(door, asked)));
    withModel = startCauce({ settings: { ...settings, RUN: MODEL_PARTS } });
    for (const id of ids) await reaches(door, id, "done");
    const twice = "select 1 from response_event group by question_hash having count(*) > 1";
    expect(await sql(database, twice)).toEqual([]);
  });
});

describe("the topics", () => {
  test("have the declared partitions, and Kafka's console consumer shows JSON values, keys and ce_ headers", async () => {
    const listed = await kafka.topics("--describe");
    for (const topic of TOPICS) {
      expect(listed).toMatch(new RegExp(`Topic: ${topic}\\s.*PartitionCount: 12\\s`));
      expect(listed).toMatch(new RegExp(`Topic: ${topic}\\.dlq\\s.*PartitionCount: 1\\s`));
    }
    const args = ["--formatter-property", "print.headers=true", "--formatter-property", "print.key=true"];
    const [line = ""] = await kafka.consoleConsumer({ topic: "llm.generated", count: 1, args });
    const [headers = "", key = "", value = ""] = line.split("\t");
    for (const header of [
      "ce_specversion:1.0",
      "ce_id:",
      "ce_source:/llm/llm.requests",
      "ce_type:llm.generated",
      "ce_time:",
    ])
      expect(headers).toContain(header);
    expect(JSON.parse(value)).toMatchObject({ id: key, round: 1 });
  });

  test("get nothing from bodies that the door refuses", async () => {
    const ends = () => endOffsets("llm.requests");
    const before = await ends();
    const good = question("Refused", 1);
    for (const body of [
      '{"title": ',
      "[]",
      JSON.stringify({ ...good, title: 1 }),
      JSON.stringify({ ...good, title: "\u0000" }),
    ]) {
      expect((await post(door, body)).status).toBeOneOf([400, 422]);
    }
    expect((await post(door, JSON.stringify({ ...good, content: "x".repeat(10_000_000) }))).status).toBe(413);
    expect(await ends()).toEqual(before);
  });
});

describe("what no handler can read", () => {
  test("becomes a dead letter with its reason and bytes on every topic, ends its question, and the partition goes on", async () => {
    const marks = TOPICS.map((topic, index) => ({ topic, id: String(index + 1).repeat(32) }));
    const values = marks.map(({ topic, id }) => ({ topic, id, bad: badValues(id) }));
    await sql(
      database,
      `insert into question (id, title, content, best_answer, published_at) values
       ${marks.map(({ id, topic }) => `('${id}', 'dies on ${topic}', '', '', now())`).join(",")}`,
    );
    for (const { topic, id, bad } of values) {
      // One key, so one partition: the good one stands behind all the bad ones.
      const key = utf8.encode(id);
      const records = bad.map(({ value }) => ({ topic, key, value, headers: [] }));
      await bus.publish([
        ...records,
        { topic, key: new Uint8Array([0xff, 0xff]), value: utf8.encode("{"), headers: [] },
      ]);
      await bus.publish([
        { topic, key, value: utf8.encode(JSON.stringify(goodValue(topic, id))), headers: [] },
      ]);
    }
    await Promise.all(
      TOPICS.map((topic) => kafka.consoleProducer({ topic, lines: ["hello from a console"] })),
    );

    for (const { topic, id, bad } of values) {
      const letters = await eventually(`${topic} has its dead letters`, async () => {
        const rows = await sql(
          database,
          `select cause, error, value, key from cauce.dead_letters where topic = '${topic}' order by id`,
        );
        return rows.length === bad.length + 2 && rows;
      });
      for (const { value, cause } of bad) {
        const found = letters.find((letter) => sameBytes(letter["value"], value));
        expect({ topic, value: value && text(value), cause: found?.["cause"] }).toMatchObject({ cause });
        expect(found?.["error"]).not.toBe("");
      }
      expect(letters.some(({ key }) => sameBytes(key, new Uint8Array([0xff, 0xff])))).toBe(true);
      await eventually("the question of the unreadable message has failed", async () => {
        const [row] = await sql(database, `select state, reason from question where id = '${id}'`);
        return row?.["state"] === "failed" && String(row["reason"]).includes("gave up");
      });
      await eventually(`the good message behind them was handled on ${topic}`, async () => {
        const [row] = await sql(database, `select state from question where id = '${goodId(id)}'`);
        return row?.["state"] === "done" || row?.["state"] === "failed";
      });
      expect((await endOffsets(`${topic}.dlq`))[0]).toBe(bad.length + 2);
    }
    expect((await fetch(`${door}/readyz`)).status).toBe(200);
  });

  test("is kept whole on the dead letter topic, with the reason in its headers", async () => {
    const args = ["--formatter-property", "print.headers=true"];
    const lines = await kafka.consoleConsumer({ topic: "llm.requests.dlq", count: 3, args });
    expect(lines.join("\n")).toContain("cauce_cause:undecodable");
    expect(lines.join("\n")).toContain("cauce_handler:llm.requests");
    expect(lines.join("\n")).toContain("cauce_topic:llm.requests");
  });
});

const utf8 = new TextEncoder();

function badValues(id: string): { value: Uint8Array | null; cause: string }[] {
  const json = (value: unknown) => utf8.encode(JSON.stringify(value));
  return [
    { value: new Uint8Array([0xff, 0xfe, 0x00, 0x80]), cause: "undecodable" },
    { value: utf8.encode('{"id": "'), cause: "undecodable" },
    { value: utf8.encode("[".repeat(100_000)), cause: "undecodable" },
    { value: json(null), cause: "invalid_value" },
    { value: json({}), cause: "invalid_value" },
    { value: json({ id, round: 1, title: 7 }), cause: "invalid_value" },
    { value: null, cause: "undecodable" },
  ];
}

/** The id of the question that a good message is about. */
function goodId(id: string): string {
  return `${id.slice(1)}a`;
}

function goodValue(topic: (typeof TOPICS)[number], id: string): Record<string, unknown> {
  const asked = { ...question("Elsewhere", 1), id: goodId(id), attempts: 0, round: 1, deferrals: 0 };
  const answered = {
    ...asked,
    attempts: 1,
    answer: "Forty 1 boats cross the bay every day.",
    model: "elsewhere",
  };
  switch (topic) {
    case "llm.requests":
      return asked;
    case "llm.generated":
      return answered;
    case "llm.errors":
      return { ...asked, error_type: "refused", message: "no" };
    case "llm.validated":
      return { ...answered, score: 9, rubric: { accuracy: 9 }, below_threshold: false };
    case "llm.failed":
      return { ...asked, reason: "told so" };
  }
}

/** By partition. */
async function endOffsets(topic: string): Promise<number[]> {
  const printed = await kafka.tool("org.apache.kafka.tools.GetOffsetShell", { args: ["--topic", topic] });
  return printed
    .trim()
    .split("\n")
    .toSorted()
    .map((line) => Number(line.split(":").at(-1)));
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).slice(0, 40);
}

function sameBytes(found: unknown, wanted: Uint8Array | null): boolean {
  if (wanted === null || found === null) return wanted === found;
  return found instanceof Uint8Array && Buffer.from(found).equals(Buffer.from(wanted));
}
