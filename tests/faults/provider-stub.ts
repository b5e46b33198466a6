/**
 * A provider that does to each question, once, what its title says; then it answers, and judges everything as good.
 *
 * In: chat completions. Out: one fault a question; when each call came. Never here: what the pipeline makes of it.
 */
export const FAULTS = [
  "limited",
  "limited-by-date",
  "failing",
  "hanging",
  "half",
  "garbage",
  "huge",
  "shapeless",
  "dripping",
  "unjudged",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface ProviderStub {
  readonly baseUrl: string;
  /** When calls came, on the wall clock, by `<fault> answer` and `<fault> judge`. */
  readonly calls: ReadonlyMap<string, readonly number[]>;
  /** What was sent of the reply without end before the other side had enough. */
  readonly hugeBytes: number;
  stop(): Promise<void>;
}

export const RETRY_AFTER_S = 2;
const HUGE_BYTES = 50 * 1024 * 1024;
const DRIP_MS = 50;
const utf8 = new TextEncoder();

export function titleOf(fault: Fault): string {
  return `What becomes of the ${fault} one?`;
}

export function startProviderStub(): ProviderStub {
  const calls = new Map<string, number[]>();
  let hugeBytes = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { messages } = (await request.json()) as {
        readonly messages: readonly { readonly role: string; readonly content: string }[];
      };
      const text = messages.find(({ role }) => role === "user")?.content ?? "";
      const fault = FAULTS.find((each) => text.includes(titleOf(each)));
      const judging = text.includes("\n<answer>\n");
      const name = `${fault} ${judging ? "judge" : "answer"}`;
      const times = calls.get(name) ?? [];
      calls.set(name, [...times, Date.now()]);
      if (judging) return completion(fault === "unjudged" ? '{"score": 10}' : VERDICT);
      if (fault === undefined || times.length > 0) return completion("Forty boats.");
      return reply(fault);
    },
  });

  function reply(fault: Fault): Response | Promise<Response> {
    switch (fault) {
      case "limited":
        return refusal({ "retry-after": String(RETRY_AFTER_S) });
      case "limited-by-date":
        // Dates know whole seconds: one more, so that it is no less.
        return refusal({ "retry-after": new Date(Date.now() + (RETRY_AFTER_S + 1) * 1_000).toUTCString() });
      case "failing":
        return Response.json({ error: { message: "internal" } }, { status: 500 });
      case "hanging":
        return new Promise(() => undefined);
      case "half":
        return events([event({ choices: [{ delta: { content: "Forty" } }] })]);
      case "garbage":
        return new Response("<html>", { headers: { "content-type": "application/json" } });
      case "shapeless":
        return Response.json({ choices: [{ text: 42 }] });
      case "huge":
        return huge((bytes) => (hugeBytes += bytes));
      case "dripping":
        return dripping();
      case "unjudged":
        return completion("Forty boats.");
    }
  }

  return {
    baseUrl: `http://127.0.0.1:${server.port}/v1`,
    calls,
    get hugeBytes() {
      return hugeBytes;
    },
    stop: () => server.stop(true),
  };
}

function refusal(headers: Readonly<Record<string, string>>): Response {
  const error = { message: "too many requests", code: "rate_limit_exceeded" };
  return Response.json({ error }, { status: 429, headers });
}

function completion(content: string): Response {
  return Response.json({
    model: "stub-1",
    choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 100, completion_tokens: 10 },
  });
}

const VERDICT = JSON.stringify({
  rationale: "as asked",
  accuracy: 9,
  completeness: 9,
  clarity: 9,
  conciseness: 9,
  usefulness: 9,
  feedback: "Nothing.",
});

function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function events(texts: readonly string[]): Response {
  return new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } });
}

function huge(sent: (bytes: number) => void): Response {
  const chunk = utf8.encode(" ".repeat(64 * 1024));
  let left = HUGE_BYTES;
  const body = new ReadableStream({
    pull(controller) {
      if (left <= 0) {
        controller.close();
        return;
      }
      left -= chunk.length;
      sent(chunk.length);
      controller.enqueue(chunk);
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

function dripping(): Response {
  const body = new ReadableStream({
    async pull(controller) {
      await Bun.sleep(DRIP_MS);
      controller.enqueue(utf8.encode(event({ choices: [{ delta: { content: "x" } }] })));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
