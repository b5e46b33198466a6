/**
 * A judge behind an OpenAI-compatible HTTP API that says what was written ahead, one reply after the other.
 *
 * In: for each prompt the replies to it; a number is an HTTP status that it fails with, every time. Out: an address on loopback and
 * what was wrong with what it was asked. Never here: judging.
 */
import { RUBRIC_DATA } from "../../../handlers/shared/judge/rubric.ts";
import { JUDGE_MODEL } from "./verdicts.ts";

export interface JudgeServer {
  readonly baseUrl: string;
  /** Requests that a judge must not be sent: another system prompt, another temperature, an unknown question. */
  readonly complaints: readonly string[];
  /** Questions that it failed, with the status. */
  readonly failed: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

export type Script = ReadonlyMap<string, readonly string[] | number>;

interface Asked {
  readonly model?: unknown;
  readonly temperature?: unknown;
  readonly messages?: readonly { readonly role?: unknown; readonly content?: unknown }[];
}

const { prompt } = RUBRIC_DATA;
const [REMINDER = ""] = prompt.repair.split("{problem}");

export function startJudgeServer(script: Script): JudgeServer {
  const complaints: string[] = [];
  const failed = new Map<string, number>();
  const given = new Map<string, number>();
  const answer = (asked: Asked): Response => {
    const [system, user] = asked.messages ?? [];
    if (system?.content !== prompt.system.join("\n"))
      complaints.push("the system prompt is not rubric.json's");
    if (asked.temperature !== prompt.temperature)
      complaints.push(`the temperature was ${String(asked.temperature)}`);
    if (asked.model !== JUDGE_MODEL) complaints.push(`the model was ${String(asked.model)}`);
    const [question = ""] = String(user?.content).split(`${prompt.fence.between}${REMINDER}`);
    const replies = script.get(question);
    if (typeof replies === "number") failed.set(question, replies);
    if (typeof replies === "number")
      return Response.json({ error: { message: "told to fail" } }, { status: replies });
    const turn = given.get(question) ?? 0;
    given.set(question, turn + 1);
    const content = replies?.[turn];
    if (content === undefined) complaints.push(`nothing is written for call ${turn + 1} of: ${question}`);
    return Response.json({
      id: "told",
      object: "chat.completion",
      created: 0,
      model: JUDGE_MODEL,
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: content ?? "" } }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => answer((await request.json()) as Asked),
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/v1`,
    complaints,
    failed,
    stop: () => server.stop(true),
  };
}
