/**
 * A chat completion that comes piece by piece (server-sent events), put together.
 *
 * In: the body of a response. Out: the same shape as a completion that comes whole: text, finish reason, model, usage; and
 * each piece of text as it comes. Never here: HTTP, deadlines (an aborted body rejects), what the result is worth.
 */
import { type ModelError, ModelUnavailable, Overloaded, RateLimited } from "./model.ts";

/** As `choices[0].message` and so on of a whole completion, of which only what came is there. */
export interface Assembled {
  readonly model?: unknown;
  readonly choices: readonly [
    { readonly message: Readonly<Record<string, unknown>>; readonly finish_reason: unknown },
  ];
  readonly usage?: unknown;
}

/**
 * Reads to the end of the stream.
 * @throws ModelError where the stream tells of a failure or ends half-way, SyntaxError where a piece is no JSON
 */
export async function assemble(
  body: ReadableStream<Uint8Array>,
  onText?: (text: string) => void,
): Promise<Assembled> {
  const state = { content: "", seen: false, refusal: undefined, finish: undefined } as State;
  for await (const data of eventsOf(body)) {
    if (data === "[DONE]") break;
    take(JSON.parse(data), state, onText);
  }
  if (typeof state.finish !== "string")
    throw new ModelUnavailable("the model's answer broke off in the middle");
  return {
    model: state.model,
    choices: [
      {
        message: { content: state.seen ? state.content : null, refusal: state.refusal },
        finish_reason: state.finish,
      },
    ],
    usage: state.usage,
  };
}

interface State {
  content: string;
  /** Did any text come? */
  seen: boolean;
  refusal: unknown;
  finish: unknown;
  model: unknown;
  usage: unknown;
}

function take(chunk: unknown, state: State, onText: ((text: string) => void) | undefined): void {
  if (!isRecord(chunk)) return;
  if (isRecord(chunk["error"])) throw failureOf(chunk["error"]);
  state.model ??= chunk["model"];
  if (isRecord(chunk["usage"])) state.usage = chunk["usage"];
  const choices: unknown = chunk["choices"];
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  if (!isRecord(choice)) return;
  if (typeof choice["finish_reason"] === "string") state.finish = choice["finish_reason"];
  const delta = choice["delta"];
  if (!isRecord(delta)) return;
  if (typeof delta["refusal"] === "string") state.refusal = delta["refusal"];
  const text = delta["content"];
  if (typeof text !== "string") return;
  state.seen = true;
  state.content += text;
  if (text !== "") onText?.(text);
}

/** What a provider says once it has begun to answer with 200. Its words may repeat the question and are left out. */
function failureOf(error: Readonly<Record<string, unknown>>): ModelError {
  const marks = `${String(error["code"])} ${String(error["type"])}`.toLowerCase();
  const said = "the provider failed while it answered";
  if (/rate_limit|429/.test(marks)) return new RateLimited(said);
  if (/overloaded|50[234]|529/.test(marks)) return new Overloaded(said);
  return new ModelUnavailable(said);
}

/** The data of each event, whatever its line ends are. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "" && data.length > 0) {
        yield data.join("\n");
        data = [];
      } else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }
  if (rest.startsWith("data:")) data.push(rest.slice(5).trim());
  if (data.length > 0) yield data.join("\n");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
