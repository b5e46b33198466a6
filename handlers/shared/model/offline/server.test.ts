import { describe, expect, test } from "bun:test";
import { systemClock, type Clock } from "cauce";
import { ModelError, ModelTimeout, RateLimited } from "../model.ts";
import { openAiModel } from "../openai.ts";
import { promptFor } from "../prompt.ts";
import { questionId } from "../../questions/identity.ts";
import { extract } from "./extract.ts";
import { factFor } from "./facts.ts";
import { planOf, replyTo } from "./script.ts";
import { OFFLINE_MODEL, REPLIES_HEADER, offlineModel, type OfflineModelOptions } from "./server.ts";
import { startOfflineModel } from "./start.ts";

const PASSAGE =
  "Los Panthers cedieron solo 308 puntos en defensa. Kawann Short lideró al equipo con 11 capturas. " +
  "Mario Addison consiguió 6 capturas y media.";

const post = (
  handle: (request: Request) => Promise<Response>,
  body: unknown,
  headers: Record<string, string> = {},
) =>
  handle(
    new Request("http://127.0.0.1/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );
const asking = (title: string, content = "") => ({ model: "x", messages: promptFor({ title, content }) });
interface Completion {
  model: string;
  choices: { message: { content: string } }[];
  cauce_offline: { source: string; attempt: number };
}
const said = async (response: Response) => {
  const body = (await response.json()) as Completion;
  return { text: body.choices[0]?.message.content ?? "", model: body.model, ...body.cauce_offline };
};

describe("what the offline model answers", () => {
  test("quotes the sentence of the passage, labelled as the offline model's", async () => {
    const answer = await said(
      await post(offlineModel(), asking("¿Quién lideró al equipo en capturas?", PASSAGE)),
    );
    expect(answer).toEqual({
      text: "Kawann Short lideró al equipo con 11 capturas.",
      model: OFFLINE_MODEL,
      source: "passage",
      attempt: 1,
    });
  });

  test("gives the amount alone when there is just one", () => {
    expect(extract({ title: "¿Cuántos puntos cedieron los Panthers en defensa?", content: PASSAGE })).toBe(
      "308",
    );
  });

  test("does not repeat an answer that was not good enough", () => {
    const title = "¿Quién lideró al equipo en capturas?";
    const first = extract({ title, content: PASSAGE }) ?? "";
    const second = extract({ title, content: PASSAGE, previous: first, feedback: "busca otra" });
    expect(second).not.toBe(first);
    expect(PASSAGE).toContain(second ?? "?");
  });

  test.each([
    ["What is Kafka?", "distributed event streaming platform"],
    ["¿Qué es Kafka?", "plataforma distribuida"],
    ["what is the CAPITAL of france", "Paris"],
    ["¿Cuál es la capital de Francia?", "París"],
    ["Quien escribio el Quijote", "Cervantes"],
  ])("knows %p from its own facts", async (title, part) => {
    const answer = await said(await post(offlineModel(), asking(title)));
    expect(answer.text).toContain(part);
    expect(answer.source).toBe("facts");
  });

  test.each(["Who is Kafka?", "What is the capital of Peru?", "What is the capital?", "", "???"])(
    "has no fact for %p, which is only near one",
    (title) => {
      expect(factFor(title)).toBeUndefined();
    },
  );

  test("says that it does not know, in the language of the question", async () => {
    const handle = offlineModel();
    expect((await said(await post(handle, asking("Who won the cup in 2091?")))).text).toStartWith(
      "I don't know",
    );
    expect((await said(await post(handle, asking("¿Quién ganó la copa en 2091?")))).text).toStartWith(
      "No lo sé",
    );
  });

  test("repeats recorded answers, one for each attempt, the last one from then on", async () => {
    const recorded = new Map([[questionId({ title: "q", content: "" }), ["first", "second"]]]);
    const handle = offlineModel({ recorded });
    const texts = [];
    for (let attempt = 1; attempt <= 3; attempt++)
      texts.push((await said(await post(handle, asking("q")))).text);
    expect(texts).toEqual(["first", "second", "second"]);
  });

  test("lists itself as a model", async () => {
    const response = await offlineModel()(new Request("http://127.0.0.1/v1/models"));
    expect(JSON.stringify(await response.json())).toContain(OFFLINE_MODEL);
  });
});

describe("faults that the offline model is told to make", () => {
  test("follow the script, then all is well", async () => {
    const script = [{ match: "SHORT", replies: ["rate_limit:2100ms", "server_error", "bad_answer", "ok"] }];
    const handle = offlineModel({ script });
    const body = asking("How did Short do?", PASSAGE);
    const limited = await post(handle, body);
    expect(limited.status).toBe(429);
    expect(limited.headers.get("retry-after")).toBe("3");
    expect(limited.headers.get("retry-after-ms")).toBe("2100");
    expect((await post(handle, body)).status).toBe(500);
    expect(await said(await post(handle, body))).toMatchObject({ source: "bad_answer", attempt: 3 });
    expect(await said(await post(handle, body))).toMatchObject({ source: "passage", attempt: 4 });
    expect((await post(handle, body)).status).toBe(200);
    expect((await post(handle, asking("Another?", PASSAGE))).status).toBe(200);
  });

  test("follow the request's header before the script, and a script sent later", async () => {
    const handle = offlineModel({ script: [{ match: "kafka", replies: ["server_error"] }] });
    expect((await post(handle, asking("What is Kafka?"), { [REPLIES_HEADER]: "overloaded:1s" })).status).toBe(
      503,
    );
    const put = (script: unknown) =>
      handle(
        new Request("http://127.0.0.1/offline/script", {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(script),
        }),
      );
    expect((await put([{ match: "kafka", replies: ["authentication"] }])).status).toBe(200);
    expect((await post(handle, asking("What is Kafka?"))).status).toBe(401);
    expect((await put([{ match: "kafka", replies: ["explode"] }])).status).toBe(400);
  });

  test("by rate come about as often as told, and the same for the same seed", () => {
    const plan = planOf({ faults: { rate_limit: 0.2, timeout: 0.05, garbage: 0.02 }, seed: 7 });
    const draw = () =>
      Array.from(
        { length: 4_000 },
        (_, index) => replyTo(plan, { title: `question ${index >> 1}`, attempt: 1 + (index & 1) }).kind,
      );
    const kinds = draw();
    const portion = (kind: string) => kinds.filter((drawn) => drawn === kind).length / kinds.length;
    expect(portion("rate_limit")).toBeWithin(0.17, 0.23);
    expect(portion("timeout")).toBeWithin(0.035, 0.065);
    expect(portion("garbage")).toBeWithin(0.01, 0.03);
    expect(draw()).toEqual(kinds);
    expect(
      kinds.filter((kind, index) => index % 2 === 0 && kind !== "ok" && kinds[index + 1] === "ok").length,
    ).toBeGreaterThan(100);
  });

  test("a slow answer waits on the clock it was given", async () => {
    const waited: number[] = [];
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, call) => {
        waited.push(delayMs);
        queueMicrotask(call);
        return () => {};
      },
    };
    const handle = offlineModel({ clock, script: [{ match: "kafka", replies: ["slow:4s"] }] });
    expect((await said(await post(handle, asking("What is Kafka?")))).source).toBe("facts");
    expect(waited).toEqual([4_000]);
  });

  test.each([
    { faults: { rate_limit: 1.5 } },
    { faults: { explode: 0.1 } as unknown as NonNullable<OfflineModelOptions["faults"]> },
    { faults: { timeout: 0.6, garbage: 0.6 } },
    { script: [{ match: "", replies: [] }] },
    { script: [{ match: "x", replies: ["slow:soon"] }] },
  ])("%p is refused at start", (options) => {
    expect(() => offlineModel(options)).toThrow("offline model:");
  });

  test.each([
    ["{", 400],
    ["null", 400],
    ['{"messages":[null]}', 400],
    ['{"messages":[{"role":"user","content":{}}]}', 400],
  ])("the body %p is a %p, as from a real provider", async (body, status) => {
    expect((await post(offlineModel(), body)).status).toBe(status);
  });
});

test("over a real socket every fault becomes the error that the pipeline knows", async () => {
  const script = [
    {
      match: "kafka",
      replies: ["rate_limit:2100ms", "timeout", "garbage", "refused", "context_too_long", "ok"],
    },
  ];
  const offline = startOfflineModel({ script });
  try {
    const model = openAiModel({ baseUrl: offline.baseUrl, model: OFFLINE_MODEL, timeoutMs: 500 });
    const outcomes: string[] = [];
    for (let attempt = 1; attempt <= 6; attempt++) {
      const outcome = await model
        .answer({ title: "What is Kafka?", content: "" }, new AbortController().signal)
        .then(
          (answer) => answer.model,
          (thrown: unknown) => {
            if (thrown instanceof RateLimited) expect(thrown.retryAfterMs).toBe(2_100);
            if (attempt === 2) expect(thrown).toBeInstanceOf(ModelTimeout);
            return thrown instanceof ModelError ? thrown.error_type : String(thrown);
          },
        );
      outcomes.push(outcome);
    }
    expect(outcomes).toEqual([
      "rate_limit",
      "timeout",
      "bad_output",
      "refused",
      "context_too_long",
      OFFLINE_MODEL,
    ]);
  } finally {
    await offline.stop();
  }
});
