/**
 * A model behind an OpenAI-compatible HTTP API.
 *
 * In: where it is and what it is called. Out: a Model whose every call ends with an answer or a ModelError before the
 * deadline. Never here: retries (`maxRetries` is 0), redirects, the environment, keys in errors.
 */
import { CauceError } from "cauce";
import OpenAI from "openai";
import { boundedFetch, isEventStream, type Fetch } from "./bounded-fetch.ts";
import { classify } from "./classify.ts";
import { assemble } from "./event-stream.ts";
import {
  BadOutput,
  ModelError,
  ModelTimeout,
  ModelUnavailable,
  Refused,
  type Model,
  type ModelAnswer,
  type ModelQuestion,
  type Usage,
} from "./model.ts";
import { promptFor, type ChatMessage } from "./prompt.ts";

export interface OpenAiOptions {
  /** Up to and with the version, such as "https://api.example.com/v1". The operator's, never from a request. */
  readonly baseUrl: string;
  readonly model: string;
  /** Left out for servers that want none. */
  readonly apiKey?: string;
  /** The deadline of one whole call, body included. Default 45,000. */
  readonly timeoutMs?: number;
  /** The most bytes that an answer may have, headers not counted. Default 1 MiB. */
  readonly maxResponseBytes?: number;
  /** The most tokens the model may write. Default 1,024. */
  readonly maxTokens?: number;
  /**
   * Ask for the answer piece by piece: an answer that breaks off is told from one that is short, and a call that is given up
   * stops costing. A provider that refuses to stream is asked for whole answers from then on. Default true.
   */
  readonly stream?: boolean;
  /** See `Model.budget`. */
  readonly budget?: string;
  /** Default 0.2. */
  readonly temperature?: number;
  /** Default the global one. */
  readonly fetch?: Fetch;
  /** Wall time in milliseconds, to read a Retry-After that is a date. Default Date.now. */
  readonly nowMs?: () => number;
}

export interface CompletionOptions {
  readonly messages: readonly ChatMessage[];
  /** A JSON schema that the answer must fit, enforced by providers that can. */
  readonly jsonSchema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
  readonly temperature?: number;
  /** Told each piece of text as it comes, where the provider streams. */
  readonly onText?: (text: string) => void;
}

/** One chat completion: messages in, text out. What the model and the LLM judge are both made of. */
export interface Completions {
  readonly model: string;
  complete(options: CompletionOptions, signal: AbortSignal): Promise<ModelAnswer>;
}

export function openAiModel(options: OpenAiOptions): Model {
  const completions = openAiCompletions(options);
  return {
    name: options.model,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    answer: (question: ModelQuestion, signal) =>
      completions.complete({ messages: promptFor(question) }, signal),
  };
}

export function openAiCompletions(options: OpenAiOptions): Completions {
  const { model, timeoutMs = 45_000, maxResponseBytes = 1_048_576, maxTokens = 1_024 } = options;
  refuseBadAddress(options.baseUrl);
  const client = new OpenAI({
    baseURL: options.baseUrl,
    apiKey: options.apiKey || "none",
    // The SDK would otherwise read these from the environment by itself.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: "off",
    maxRetries: 0,
    // Covers the body too, because boundedFetch reads all of it before it returns.
    timeout: timeoutMs,
    fetch: boundedFetch({ maxResponseBytes, fetch: options.fetch ?? fetch }),
  });
  let streams = options.stream ?? true;

  const ask = async (work: CompletionOptions, signal: AbortSignal, stream: boolean): Promise<ModelAnswer> => {
    const { messages, jsonSchema, temperature, onText } = work;
    // The SDK's own deadline ends with the headers.
    const deadline = AbortSignal.timeout(timeoutMs);
    let begun = false;
    try {
      const response = await client.chat.completions
        .create(
          {
            model,
            messages: messages.map(({ role, content }) => ({ role, content })),
            temperature: temperature ?? options.temperature ?? 0.2,
            max_tokens: maxTokens,
            ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
            ...(jsonSchema && {
              response_format: { type: "json_schema" as const, json_schema: { ...jsonSchema, strict: true } },
            }),
          },
          { signal: AbortSignal.any([signal, deadline]) },
        )
        .asResponse();
      begun = true;
      return answerIn(await completionIn(response, onText), model);
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof ModelError) throw thrown;
      if (deadline.aborted) throw new ModelTimeout("the model gave no whole answer before the deadline");
      if (begun && !(thrown instanceof SyntaxError))
        throw new ModelUnavailable("the connection to the model broke off in the middle");
      throw classify(thrown, { secrets: [options.apiKey], nowMs: options.nowMs?.() ?? Date.now() });
    }
  };

  return {
    model,
    async complete(work, signal) {
      signal.throwIfAborted();
      if (!streams) return ask(work, signal, false);
      try {
        return await ask(work, signal, true);
      } catch (thrown) {
        if (!(thrown instanceof Refused && /stream/i.test(thrown.message))) throw thrown;
        streams = false;
        return ask(work, signal, false);
      }
    },
  };
}

/** One that comes whole is read whole, also where pieces were asked for. */
async function completionIn(
  response: Response,
  onText: ((text: string) => void) | undefined,
): Promise<unknown> {
  if (isEventStream(response) && response.body !== null) return assemble(response.body, onText);
  return await response.json();
}

/** The address itself is not repeated: it may carry a password. */
function refuseBadAddress(baseUrl: string): void {
  if (URL.canParse(baseUrl) && /^https?:$/.test(new URL(baseUrl).protocol)) return;
  throw new CauceError("config_invalid", "the model's base URL should look like https://api.example.com/v1");
}

/** Trusts nothing: what came may be any JSON value whatever the SDK's types say. */
function answerIn(completion: unknown, askedFor: string): ModelAnswer {
  const choice = at(at(at(completion, "choices"), "0"), "message");
  const reason = at(at(at(completion, "choices"), "0"), "finish_reason");
  const answer = at(choice, "content");
  if (reason === "content_filter" || typeof at(choice, "refusal") === "string") {
    throw new Refused("the model declined to answer");
  }
  if (typeof answer !== "string")
    throw new BadOutput("the model's reply is not shaped like a chat completion");
  const usage = usageIn(completion);
  if (answer.trim() === "") throw new BadOutput("the model's answer is empty", usage);
  if (reason === "length") throw new BadOutput("the model's answer was cut off at its token limit", usage);
  const name = at(completion, "model");
  return {
    answer: answer.trim().toWellFormed().replaceAll("\u0000", "\uFFFD"),
    model: typeof name === "string" && name !== "" ? name : askedFor,
    usage,
  };
}

function usageIn(completion: unknown): Usage {
  const usage = at(completion, "usage");
  return {
    prompt_tokens: count(usage, "prompt_tokens"),
    completion_tokens: count(usage, "completion_tokens"),
  };
}

function at(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function count(usage: unknown, key: string): number {
  const value = at(usage, key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
