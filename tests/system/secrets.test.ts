/** Passwords, keys and tokens must not be read anywhere, least of all while the things that they open fail. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../services/port.ts";
import { createDatabase } from "../services/postgres.ts";
import { ask, question, queue, reaches } from "./asking.ts";
import { clearStage, sql, startCauce } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

const CANARY = {
  kafka: "canary-kafka-4711",
  database: "canary-database-4712",
  model: "canary-model-4713",
  cache: "canary-cache-4714",
};

/** A model and a cache that refuse everybody and repeat the credentials that they were shown, as some do. */
let talkative: Bun.Server<undefined>;
beforeAll(() => {
  talkative = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const shown = request.headers.get("authorization") ?? "";
      const status = request.url.includes("/v1/") ? 400 : 401;
      return Response.json({ error: { message: `refused: ${shown}`, code: shown, type: shown } }, { status });
    },
  });
});
afterAll(() => talkative.stop(true));
afterEach(clearStage);

function expectNoCanary(text: string): void {
  for (const canary of Object.values(CANARY)) expect(text).not.toContain(canary);
}

test("a model and a cache that repeat their keys do not bring them into logs, answers, metrics or tables", async () => {
  const address = new URL(await createDatabase("secrets"));
  const plain = address.href;
  address.password = CANARY.database;
  const cauce = startCauce({
    settings: {
      DATABASE_URL: address.href,
      LLM_BASE_URL: `${talkative.url.href}v1`,
      LLM_API_KEY: CANARY.model,
      UPSTASH_REDIS_REST_URL: talkative.url.href,
      UPSTASH_REDIS_REST_TOKEN: CANARY.cache,
      LOOKUP: "cache,db",
      LOG_LEVEL: "debug",
    },
  });
  const door = await cauce.door();
  const asked = question("Secret", 1);
  const id = await queue(door, asked);
  const status = await reaches(door, id, "failed");
  expect(status.reason).toContain("refused");
  const answers = JSON.stringify([status, (await ask(door, asked)).body]);
  const metrics = await (await fetch(`${door}/metrics`)).text();
  const tables = await Promise.all(
    ["question", "question_step", "cauce.scheduled", "cauce.dead_letters"].map((table) =>
      sql(plain, `select t::text from ${table} as t`),
    ),
  );
  await cauce.end();
  expectNoCanary(answers + metrics + JSON.stringify(tables) + cauce.output());
});

test("a database and a Kafka that cannot be reached are named without their passwords", async () => {
  const port = String(freePort());
  const cauce = startCauce({
    settings: {
      DATABASE_URL: `postgres://someone:${CANARY.database}@127.0.0.1:${freePort()}/none`,
      KAFKA_BROKERS: `127.0.0.1:${freePort()}`,
      KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
      KAFKA_SASL_MECHANISM: "PLAIN",
      KAFKA_USERNAME: "someone",
      KAFKA_PASSWORD: CANARY.kafka,
      PORT: port,
      LOG_LEVEL: "debug",
    },
  });
  await cauce.said(({ level }) => level === "warn");
  expect(await cauce.end("SIGINT")).toBe(0);
  expectNoCanary(cauce.output());

  const keyless = startCauce({
    settings: {
      DATABASE_URL: await createDatabase("secrets"),
      KAFKA_BROKERS: `127.0.0.1:${freePort()}`,
      KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
      KAFKA_SASL_MECHANISM: "PLAIN",
      KAFKA_USERNAME: "someone",
      KAFKA_PASSWORD: CANARY.kafka,
      LOG_LEVEL: "debug",
    },
  });
  await keyless.said("no Kafka broker can be reached");
  expect(await keyless.end("SIGINT")).toBe(0);
  expectNoCanary(keyless.output());
});
