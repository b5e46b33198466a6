/** Answers that come piece by piece, over a real socket. */
import { afterAll, describe, expect, test } from "bun:test";
import { BadOutput, ModelTimeout, ModelUnavailable, Overloaded, RateLimited, Refused } from "./model.ts";
import { openAiCompletions, type OpenAiOptions } from "./openai.ts";

const NEVER = new AbortController().signal;
const utf8 = new TextEncoder();
const messages = [{ role: "user", content: "Who?" }] as const;

let reply: (request: Request) => Response | Promise<Response> = () => new Response();
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  fetch: (request) => reply(request),
});
afterAll(() => server.stop(true));

const completions = (options: Partial<OpenAiOptions> = {}) =>
  openAiCompletions({ baseUrl: `http://127.0.0.1:${server.port}/v1`, model: "m", ...options });
const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it answered"),
    (thrown: unknown) => thrown,
  );

const piece = (content: string, more: object = {}) => ({
  model: "m-1",
  choices: [{ delta: { content }, ...more }],
});
const end = { choices: [{ delta: {}, finish_reason: "stop" }] };
const usage = { choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } };
const eventOf = (value: unknown) => `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;

/** Each text is sent as it is; with `then`, what the stream does after the last one: ends by default. */
function streaming(texts: readonly string[], then: "end" | "hang" | "break" = "end"): Response {
  let at = 0;
  return new Response(
    new ReadableStream({
      async pull(controller) {
        const text = texts[at++];
        if (text !== undefined) controller.enqueue(utf8.encode(text));
        else if (then === "end") controller.close();
        else if (then === "break") controller.error(new Error("cut"));
        else await new Promise(() => undefined);
      },
    }),
    { headers: { "content-type": "text/event-stream; charset=utf-8" } },
  );
}

describe("an answer that is streamed", () => {
  test("is put together, with its model and usage, and told piece by piece", async () => {
    let asked: Record<string, unknown> = {};
    reply = async (request) => {
      asked = (await request.json()) as typeof asked;
      return streaming([piece("E"), piece("va."), end, usage, "[DONE]"].map(eventOf));
    };
    const heard: string[] = [];
    const onText = (text: string) => void heard.push(text);
    expect(await completions().complete({ messages, onText }, NEVER)).toEqual({
      answer: "Eva.",
      model: "m-1",
      usage: { prompt_tokens: 7, completion_tokens: 2 },
    });
    expect(heard).toEqual(["E", "va."]);
    expect(asked).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });

  test("is the same wherever its bytes are cut, letters included", async () => {
    const bytes = utf8.encode(
      [piece("José "), piece("🦉"), end, "[DONE]"].map(eventOf).join("").replaceAll("\n\n", "\r\n\r\n"),
    );
    for (const size of [1, 2, 3, 7]) {
      reply = () =>
        new Response(
          new ReadableStream({
            start(controller) {
              for (let from = 0; from < bytes.length; from += size)
                controller.enqueue(bytes.slice(from, from + size));
              controller.close();
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        );
      expect((await completions().complete({ messages }, NEVER)).answer).toBe("José 🦉");
    }
  });

  test.each([
    ["ends half-way", () => streaming([eventOf(piece("Ev"))]), ModelUnavailable],
    ["says nothing at all", () => streaming(["data: [DONE]\n\n"]), ModelUnavailable],
    ["holds no JSON", () => streaming(["data: {\n\n"]), BadOutput],
    ["is empty", () => streaming([piece(" "), end].map(eventOf)), BadOutput],
    [
      "is cut off at its token limit",
      () => streaming([eventOf(piece("E", { finish_reason: "length" }))]),
      BadOutput,
    ],
    ["is larger than allowed", () => streaming([eventOf(piece("x".repeat(5_000))), eventOf(end)]), BadOutput],
    [
      "is refused in the middle",
      () => streaming([eventOf({ choices: [{ delta: { refusal: "no" }, finish_reason: "stop" }] })]),
      Refused,
    ],
    [
      "tells of a limit in the middle",
      () => streaming([eventOf(piece("E")), eventOf({ error: { code: "rate_limit_exceeded" } })]),
      RateLimited,
    ],
    [
      "tells of overload in the middle",
      () => streaming([eventOf({ error: { type: "overloaded_error" } })]),
      Overloaded,
    ],
    [
      "tells of a failure in the middle",
      () => streaming([eventOf({ error: { message: "canary" } })]),
      ModelUnavailable,
    ],
  ])("that %s is its own kind of error", async (_, response, kind) => {
    reply = response;
    const thrown = await thrownBy(completions({ maxResponseBytes: 4_000 }).complete({ messages }, NEVER));
    expect(thrown).toBeInstanceOf(kind);
    expect(Bun.inspect(thrown)).not.toContain("canary");
  });

  test("that stops half-way, or drips, ends at the deadline", async () => {
    reply = () => streaming([eventOf(piece("Ev"))], "hang");
    expect(await thrownBy(completions({ timeoutMs: 60 }).complete({ messages }, NEVER))).toBeInstanceOf(
      ModelTimeout,
    );
    reply = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await Bun.sleep(5);
            controller.enqueue(utf8.encode(eventOf(piece("x"))));
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    expect(await thrownBy(completions({ timeoutMs: 60 }).complete({ messages }, NEVER))).toBeInstanceOf(
      ModelTimeout,
    );
  });

  test("that the caller gives up ends with the caller's reason, and the provider sees it go", async () => {
    const stop = new AbortController();
    const gone = Promise.withResolvers<void>();
    reply = (request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      return streaming([eventOf(piece("Ev"))], "hang");
    };
    const onText = () => stop.abort(new Error("partition lost"));
    expect(String(await thrownBy(completions().complete({ messages, onText }, stop.signal)))).toContain(
      "partition lost",
    );
    await gone.promise;
  });

  test("whose connection is cut is told from one that is wrong", async () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    const cut = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          const text = eventOf(piece("Ev"));
          socket.write(`${head}${utf8.encode(text).length.toString(16)}\r\n${text}\r\n`);
          socket.terminate();
        },
      },
    });
    const model = completions({ baseUrl: `http://127.0.0.1:${cut.port}/v1` });
    expect(await thrownBy(model.complete({ messages }, NEVER))).toBeInstanceOf(ModelUnavailable);
    cut.stop(true);
  });

  test("is asked for whole from a provider that refuses to stream, from then on", async () => {
    const asked: boolean[] = [];
    reply = async (request) => {
      const { stream = false } = (await request.json()) as { stream?: boolean };
      asked.push(stream);
      if (stream)
        return Response.json({ error: { message: "unknown field stream_options" } }, { status: 422 });
      return Response.json({ choices: [{ message: { content: "Eva." }, finish_reason: "stop" }] });
    };
    const model = completions();
    await model.complete({ messages }, NEVER);
    expect((await model.complete({ messages }, NEVER)).answer).toBe("Eva.");
    expect(asked).toEqual([true, false, false]);
  });
});
