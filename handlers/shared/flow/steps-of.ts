/**
 * What the runtime's observer tells, in the application's words.
 *
 * In: a step of one message. Out: steps of the question that it carries, with the state that follows. Pure.
 * Messages that carry no readable question tell nothing.
 */
import type { Step } from "cauce/run";
import type { QuestionStep } from "../storage/steps.ts";

type Told = Pick<QuestionStep, "step" | "detail" | "state" | "waiting">;
type Output = NonNullable<Step["outputs"]>[number];

export function stepsOf(step: Step): QuestionStep[] {
  const { id, round } = fieldsOf(step.value);
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)) return [];
  if (typeof round !== "number" || !Number.isInteger(round) || round < 1) return [];
  const about = { id, round, atMs: step.atMs, handler: step.handler, messageId: step.messageId };
  return told(step).map((one) => ({ ...about, ...one }));
}

function told(step: Step): Told[] {
  if (step.kind === "started") return started(step);
  const { outcome = "done" } = step;
  switch (outcome) {
    case "retry": {
      const delayMs = step.delayMs ?? 0;
      const reason = step.reason ?? "retry";
      const detail = { reason, error: step.error, delay_ms: delayMs };
      return [
        { step: "retrying", detail, state: "waiting", waiting: { reason, untilMs: step.atMs + delayMs } },
      ];
    }
    case "dead":
      return [{ step: "dead", detail: { reason: step.reason, error: step.error } }];
    case "done":
      return done(step);
  }
}

function started(step: Step): Told[] {
  const { attempts } = fieldsOf(step.value);
  switch (step.handler) {
    case "llm.requests":
      return [{ step: "generating", detail: { attempt: Number(attempts) + 1 }, state: "generating" }];
    case "llm.generated":
      return [{ step: "scoring", detail: { attempts }, state: "scoring" }];
    default:
      return [];
  }
}

function done(step: Step): Told[] {
  const value = fieldsOf(step.value);
  switch (step.handler) {
    case "llm.validated": {
      const { score, below_threshold, model } = value;
      return [{ step: "stored", detail: { score, below_threshold, model } }];
    }
    case "llm.failed":
      return [{ step: "failed", detail: { reason: value["reason"] } }];
    default:
      return (step.outputs ?? []).flatMap((output) => after(step, output));
  }
}

function after(step: Step, output: Output): Told[] {
  const value = fieldsOf(output.value);
  const { attempts, deferrals } = value;
  switch (`${step.handler} > ${output.topic}`) {
    case "llm.requests > llm.generated":
      return [{ step: "answered", detail: { attempts, model: value["model"] } }];
    case "llm.requests > llm.errors": {
      const { error_type, message, retry_after_ms } = value;
      return [{ step: "error", detail: { attempts, deferrals, error_type, message, retry_after_ms } }];
    }
    case "llm.errors > llm.requests": {
      const { reason } = output;
      const delayMs = output.afterMs ?? 0;
      const detail = { attempts, deferrals, reason, delay_ms: delayMs };
      return [
        { step: "waiting", detail, state: "waiting", waiting: { reason, untilMs: step.atMs + delayMs } },
      ];
    }
    case "llm.generated > llm.requests":
    case "llm.generated > llm.validated": {
      const again = output.topic === "llm.requests";
      const scores: unknown = value["scores"];
      const score = Array.isArray(scores) ? (scores.at(-1) as unknown) : value["score"];
      const detail = { attempts, score, again, below_threshold: value["below_threshold"] };
      return [{ step: "scored", detail, ...(again ? { state: "queued" as const } : {}) }];
    }
    default:
      return [];
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
