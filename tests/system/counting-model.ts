/**
 * A provider that counts: an OpenAI-compatible model on loopback which answers and judges by rule.
 *
 * In: chat completions as the pipeline sends them. Out: a first answer that its own judge rejects, a second one that it
 * accepts; how often each was asked for. Never here: what may be asked twice.
 */
export interface CountingModel {
  /** Up to and with the version. */
  readonly baseUrl: string;
  /** How often each call came: `<title> answer 1`, `… judge 2` and so on. */
  readonly counts: ReadonlyMap<string, number>;
  /** Called as soon as a call has come, before it is answered; the answer waits for it. */
  onCall: ((name: string) => Promise<void> | void) | null;
  stop(): Promise<void>;
}

interface Chat {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

export function startCountingModel(): CountingModel {
  const counts = new Map<string, number>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { messages } = (await request.json()) as Chat;
      const text = messages.find(({ role }) => role === "user")?.content ?? "";
      const judging = text.includes("\n<answer>\n");
      const second = judging ? text.includes(SECOND) : text.includes("<previous_answer>");
      const title = /<question>\n([\s\S]*?)\n<\/question>/.exec(text)?.[1] ?? "";
      const name = `${title} ${judging ? "judge" : "answer"} ${second ? 2 : 1}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      await model.onCall?.(name);
      return completion(judging ? verdict(second ? 9 : 1) : second ? SECOND : FIRST);
    },
  });
  const model: CountingModel = {
    baseUrl: `http://127.0.0.1:${server.port}/v1`,
    counts,
    onCall: null,
    stop: () => server.stop(true),
  };
  return model;
}

const FIRST = "A first answer, which is wrong.";
const SECOND = "A second answer, which is right.";

function verdict(points: number): string {
  const names = ["accuracy", "completeness", "clarity", "conciseness", "usefulness"];
  const scores = Object.fromEntries(names.map((name) => [name, points]));
  return JSON.stringify({ rationale: "by rule", ...scores, feedback: "Mend it." });
}

function completion(content: string): Response {
  return Response.json({
    model: "counting-1",
    choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 100, completion_tokens: 10 },
  });
}
