import { expect, test } from "bun:test";
import { paceFrom } from "../model/offline/pace.ts";
import { offlineModel } from "../model/offline/server.ts";
import { systemClock } from "cauce";
import { parseTrace } from "./trace.ts";

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

test("a trace's rows come in order of time, from 0, to the millisecond", () => {
  const rows = parseTrace(
    `${HEADER}\r\n2023-11-16 18:15:47.5000000,20,3\n2023-11-16 18:15:46.2500000,374,44\n\n`,
  );
  expect(rows).toEqual([
    { atMs: 0, contextTokens: 374, generatedTokens: 44 },
    { atMs: 1_250, contextTokens: 20, generatedTokens: 3 },
  ]);
});

test.each([
  ["a,b\n", "its first line should be"],
  [`${HEADER}\n`, "holds no request"],
  [`${HEADER}\n2023-11-16 18:15:46,x,1`, "line 2"],
  [`${HEADER}\n2023-11-16 18:15:46,1,1\nyesterday,1,1`, "line 3"],
])("%p is refused, naming what does not fit", (text, message) => {
  expect(() => parseTrace(text, "x.csv")).toThrow(message);
});

test("token counts drive the offline model's latency and usage, the same for the same question and attempt", async () => {
  const rows = parseTrace(`${HEADER}\n2023-11-16 18:15:46,1000,50`);
  const pace = paceFrom({ rows, readTokensPerSecond: 10_000, writeTokensPerSecond: 100 });
  const waited: number[] = [];
  const clock = {
    ...systemClock,
    after: (delayMs: number, call: () => void) => {
      waited.push(delayMs);
      queueMicrotask(call);
      return () => {};
    },
  };
  const reply = await offlineModel({ pace, clock })(
    new Request("http://127.0.0.1/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "What is Kafka?" }] }),
    }),
  );
  expect(waited).toEqual([600]);
  expect(await reply.json()).toMatchObject({ usage: { prompt_tokens: 1_000, completion_tokens: 50 } });
});

test("questions draw the trace's rows evenly", () => {
  const rows = [10, 20, 30, 40].map((generatedTokens) => ({ atMs: 0, contextTokens: 0, generatedTokens }));
  const pace = paceFrom({ rows, readTokensPerSecond: 1, writeTokensPerSecond: 1 });
  const drawn = Array.from({ length: 4_000 }, (_, index) => pace(`id-${index}`, 1).completionTokens);
  for (const tokens of [10, 20, 30, 40]) {
    expect(drawn.filter((one) => one === tokens).length).toBeWithin(850, 1_150);
  }
  expect(pace("id-1", 2)).toEqual(pace("id-1", 2));
});
