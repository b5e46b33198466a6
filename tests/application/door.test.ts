import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { StepFeed } from "../../handlers/shared/door/step-feed.ts";
import { questionRoutes } from "../../handlers/shared/routes.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { startIngress, type Ingress } from "../../runtime/ingress/start.ts";
import { feedOn } from "./given-feed.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
let ingress: Ingress;
let feed: StepFeed;
const sent: string[] = [];

beforeAll(async () => {
  stage = await openStage("door");
  feed = feedOn(stage);
  ingress = await startIngress({
    port: 0,
    routes: questionRoutes({
      client: {
        send(_topic, _value, options) {
          sent.push(options?.traceparent ?? "none");
          return Promise.resolve(options?.id ?? "");
        },
      },
      repository: stage.repository,
      cache: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
      broker: { generation: null, hasRoom: () => true, expectedWaitMs: () => 0, connected: () => true },
      mostWaitMs: 60_000,
      mostPatienceMs: 0,
      feed,
      lookup: ["db", "cache"],
      clock: systemClock,
      journal: { note: () => undefined },
      hits: { count: () => undefined },
    }),
    log: silentLog,
    metrics: () => "",
    ready: () => ({ ready: true, parts: {} }),
    clock: systemClock,
  });
});
afterAll(async () => {
  await ingress.stop();
  await feed.close();
  await stage.close();
});

const post = (body: string) =>
  fetch(`${ingress.url}/query`, { method: "POST", headers: { "content-type": "application/json" }, body });

describe("POST /query through the real door", () => {
  test("queues a question with the caller's trace", async () => {
    const response = await fetch(`${ingress.url}/query`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
      body: JSON.stringify({ title: "What is Kafka?", content: "", best_answer: "A log." }),
    });
    expect(response.status).toBe(202);
    const body = (await response.json()) as { id: string };
    expect(body).toMatchObject({ queued: true });
    expect(response.headers.get("location")).toBe(`/query/${body.id}`);
    expect(sent[0]).toStartWith("00-0af7651916cd43dd8448eb211c80319c-");
  });

  test("names each wrong field in problem details", async () => {
    const before = sent.length;
    const response = await post(JSON.stringify({ content: 7, best_answer: "x".repeat(20_001) }));
    expect(response.status).toBeWithin(400, 500);
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    const { errors } = (await response.json()) as { errors: { field: string; message: string }[] };
    expect(errors.map(({ field }) => field).toSorted()).toEqual(["best_answer", "content", "title"]);
    expect(sent).toHaveLength(before);
  });

  test("refuses broken JSON, U+0000 and lone surrogates with nothing published", async () => {
    const before = sent.length;
    for (const body of [
      '{"title": ',
      '{"title":"a\\u0000b"}',
      '{"title":"a\\ud800b"}',
      '"text"',
      "[]",
      "null",
    ]) {
      const response = await post(body);
      expect(response.status).toBeWithin(400, 500);
      expect(response.headers.get("content-type")).toContain("application/problem+json");
    }
    expect(sent).toHaveLength(before);
  });
});

test("the OpenAPI document tells both routes, with examples", async () => {
  const document = await (await fetch(`${ingress.url}/openapi/json`)).text();
  const { paths } = JSON.parse(document) as { paths: Record<string, Record<string, object>> };
  expect(Object.keys(paths)).toContain("/query");
  expect(Object.keys(paths)).toContain("/query/{id}");
  expect(JSON.stringify(paths["/query"])).toContain('"queued":true');
  expect(JSON.stringify(paths["/query"])).toContain("best_answer");
});
