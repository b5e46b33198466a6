/**
 * The model and the judge of this process.
 *
 * In: settings. Out: a model behind an OpenAI-compatible API and a judge: the configured one for both, or the offline
 * model behind the same HTTP on a loopback port and the offline judge, and what the start-up report says of them.
 */
import { CauceError, Unavailable } from "cauce";
import type { SettingValues, Started, World } from "cauce/run";
import type { Judge } from "./judge/judge.ts";
import { llmJudge } from "./judge/llm.ts";
import { OFFLINE_JUDGE, offlineJudge } from "./judge/offline.ts";
import type { Model } from "./model/model.ts";
import { paceFrom, type PaceOf } from "./model/offline/pace.ts";
import type { ScriptEntry } from "./model/offline/script.ts";
import { OFFLINE_MODEL } from "./model/offline/server.ts";
import { startOfflineModel } from "./model/offline/start.ts";
import { openAiCompletions, openAiModel } from "./model/openai.ts";
import type { Prices } from "./storage/model-calls.ts";
import { readRecordedAnswers } from "./questions/recorded.ts";
import { readTrace } from "./questions/trace.ts";
import type { settings } from "./settings.ts";

type Settings = SettingValues<typeof settings>;

export interface ConnectedModel {
  readonly model: Model;
  readonly judge: Judge;
  readonly prices: Prices;
  readonly parts: NonNullable<Started<unknown>["parts"]>;
  close(): Promise<void>;
}

/** Handlers that ask one of the two. */
const ASKING = ["llm.requests", "llm.generated"];

/** @throws CauceError `config_invalid`: no model in production, a script or file that cannot be used. */
export async function connectModel(
  values: Settings,
  { production, runs }: Pick<World<unknown>, "production" | "runs">,
): Promise<ConnectedModel> {
  if (!runs.handlers.some((name) => ASKING.includes(name))) return none;
  const { llmBaseUrl, llmApiKey, llmModel, modelTimeoutMs } = values;
  if (llmBaseUrl !== undefined) {
    const options = {
      baseUrl: llmBaseUrl,
      model: llmModel,
      timeoutMs: modelTimeoutMs,
      budget: `model ${llmModel}`,
      ...(llmApiKey === undefined ? {} : { apiKey: llmApiKey }),
    };
    const judge =
      values.judge === "offline"
        ? offlineJudge()
        : llmJudge(openAiCompletions(options), { threshold: values.regenThreshold });
    return {
      model: openAiModel(options),
      judge,
      prices: { promptPerMillion: values.promptPrice, completionPerMillion: values.completionPrice },
      parts: [
        { part: "model", what: `${llmModel} at ${new URL(llmBaseUrl).host}`, standIn: false },
        { part: "judge", what: judge.name, standIn: false },
      ],
      close: () => Promise.resolve(),
    };
  }
  if (production) {
    throw new CauceError("config_invalid", "LLM_BASE_URL is not set, and production uses no offline model");
  }
  return offline(values);
}

/** A process that runs neither handler needs neither model nor judge. */
const none: ConnectedModel = {
  model: { name: "none", answer: () => Promise.reject(new Unavailable("this process has no model")) },
  judge: { name: "none", score: () => Promise.reject(new Unavailable("this process has no judge")) },
  prices: { promptPerMillion: undefined, completionPerMillion: undefined },
  parts: [],
  close: () => Promise.resolve(),
};

async function offline(values: Settings): Promise<ConnectedModel> {
  const {
    offlineAnswers,
    offlineSystems,
    offlineFaults,
    offlineScript,
    offlineSeed,
    offlineLatencyMs,
    offlineTrace,
  } = values;
  const server = startOfflineModel({
    faults: Object.fromEntries(shares(offlineFaults)),
    // What it holds is checked there, at once.
    script: json(offlineScript) as readonly ScriptEntry[],
    seed: offlineSeed,
    latencyMs: offlineLatencyMs,
    ...(offlineTrace === undefined ? {} : { pace: await paceOf(offlineTrace, values) }),
    ...(offlineAnswers === undefined
      ? {}
      : { recorded: await readRecordedAnswers(offlineAnswers, offlineSystems) }),
  });
  const known = offlineAnswers === undefined ? "" : `, with the answers recorded in ${offlineAnswers}`;
  return {
    model: openAiModel({
      baseUrl: server.baseUrl,
      model: OFFLINE_MODEL,
      timeoutMs: values.modelTimeoutMs,
    }),
    judge: offlineJudge(),
    prices: { promptPerMillion: 0, completionPerMillion: 0 },
    parts: [
      {
        part: "model",
        what: `offline model at ${server.baseUrl}${known} (LLM_BASE_URL is not set)`,
        standIn: true,
      },
      { part: "judge", what: OFFLINE_JUDGE, standIn: true },
    ],
    close: () => server.stop(),
  };
}

async function paceOf(path: string, values: Settings): Promise<PaceOf> {
  return paceFrom({
    rows: await readTrace(path),
    readTokensPerSecond: values.offlineReadTokensPerS,
    writeTokensPerSecond: values.offlineWriteTokensPerS,
  });
}

/** "a=0.2,b=0.1" → pairs. */
function shares(list: string): (readonly [string, number])[] {
  return list
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [kind = "", share = ""] = part.split("=");
      return [kind.trim(), Number(share)] as const;
    });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CauceError("config_invalid", "OFFLINE_SCRIPT is not JSON");
  }
}
