/**
 * What the engine did, as the steps that an application's observer is told.
 */
import type { Step } from "../application/application.ts";
import type { Envelope } from "../engine/envelope.ts";
import type { Settled } from "../engine/outcome.ts";
import type { Processed } from "../engine/process.ts";
import type { Emission } from "../handler/emission.ts";
import type { Handler } from "../handler/handler.ts";

export function startedStep(handler: Handler, envelope: Envelope, value: unknown, atMs: number): Step {
  return { kind: "started", ...aboutMessage(handler, envelope), value, atMs };
}

export function settledStep(handler: Handler, processed: Processed, outcome: Settled): Step {
  const about = {
    kind: "settled",
    ...aboutMessage(handler, processed.envelope),
    value: processed.value,
    // Its outputs are on their way the moment they are published: the next handler's step may be told before this one.
    atMs: processed.decidedAtMs,
  } as const;
  switch (outcome.kind) {
    case "done":
      return { ...about, outcome: "done", outputs: processed.emissions.map(outputStep) };
    case "retry": {
      const { reason, error, delayMs } = outcome.schedule;
      return { ...about, outcome: "retry", reason, error, delayMs };
    }
    case "dead":
      return { ...about, outcome: "dead", reason: outcome.letter.cause, error: outcome.letter.error };
  }
}

function outputStep({ topic, value, afterMs, reason }: Emission) {
  return { topic: topic.name, value, afterMs, reason };
}

function aboutMessage(handler: Handler, { id, attempts, deferrals, delivery }: Envelope) {
  return {
    handler: handler.name,
    topic: handler.on.name,
    messageId: id,
    attempt: attempts + 1,
    deferrals,
    delivery,
  };
}
