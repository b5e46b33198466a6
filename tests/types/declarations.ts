/**
 * What must compile when a handler is declared, and what must not. `bun check` reads this file: an expected error that does
 * not come is an error itself.
 */
import * as v from "valibot";
import { app, handler, topic, type Duration, type InputOf, type OutputOf } from "cauce";

const Question = v.looseObject({ id: v.string() });
const Answered = v.object({ id: v.string(), answer: v.string(), words: v.optional(v.number(), 0) });
const Failure = v.variant("error_type", [
  v.object({ id: v.string(), error_type: v.literal("timeout") }),
  v.object({ id: v.string(), error_type: v.literal("rate_limit"), retry_after_ms: v.number() }),
]);
const requests = topic("requests", { schema: Question, key: (question) => question.id });
const generated = topic("generated", { schema: Answered, key: (answer) => answer.id });
const errors = topic("errors", { schema: Failure });
const dated = topic("dated", {
  schema: v.object({
    at: v.pipe(
      v.string(),
      v.transform((text) => new Date(text)),
    ),
  }),
});

interface Model {
  answer(question: string, signal: AbortSignal): Promise<string>;
}

// Two branches with different outputs, literals that stay literals, dependencies that are typed.
export const answer = app<{ model: Model }>().handler({
  name: "answer",
  on: requests,
  out: { generated, errors },
  order: { by: "key", whileRetrying: "skip" },
  concurrency: 64,
  timeout: "60s",
  retry: [
    [TypeError, { delay: "exponential", base: "1s", cap: "10m", burns: false }],
    [Error, { attempts: 5, delay: "linear", base: "5s" }],
  ],
  async handle({ value, attempt }, { deps, out, signal }) {
    if (attempt > 3) return out.errors({ id: value.id, error_type: "timeout" }, { after: "30s" });
    return out.generated({ id: value.id, answer: await deps.model.answer(value.id, signal) });
  },
});

export const severalOutputs = handler({
  on: requests,
  out: { generated },
  handle: ({ value }, { out }) => [
    out.generated({ id: value.id, answer: "a" }),
    out.generated({ id: value.id, answer: "b" }),
  ],
});

// Several messages a run: nothing, or one result per message, each an output, several, nothing or a failure.
export const sink = app<{ insert: (ids: readonly string[]) => Promise<void> }>().handler({
  on: requests,
  batch: { max: 500, within: "50ms" },
  async handle(messages, { deps }) {
    await deps.insert(messages.map(({ value }) => value.id));
  },
});
export const mixed = handler({
  on: requests,
  out: { generated, errors },
  order: { by: "none" },
  batch: { max: 500, within: "50ms" },
  handle: (messages, { out, fail }) =>
    messages.map(({ value }) => {
      if (value.id === "") return undefined;
      if (value.id === "a") return fail(new Error("no"));
      if (value.id === "b") return out.errors({ id: value.id, error_type: "timeout" });
      return [out.generated({ id: value.id, answer: "a" })];
    }),
});

export const once = handler({ on: requests, guarantee: "exactly-once", handle() {} });
// @ts-expect-error there are two guarantees
export const twice = handler({ on: requests, guarantee: "once", handle() {} });

// A topic whose schema transforms may be read: handlers get the schema's output, producers give its input.
export const reads = handler({ on: dated, handle: ({ value }) => void value.at.getTime() });
export const given: InputOf<typeof generated> = { id: "1", answer: "a" };
export const received: OutputOf<typeof generated> = { id: "1", answer: "a", words: 0 };

// @ts-expect-error -- what was read cannot be written back: the transform goes one way
export const oneWay = handler({ on: requests, out: { dated }, handle() {} });

export const typo = handler({
  on: requests,
  out: { generated },
  // @ts-expect-error -- no such output
  handle: (_message, { out }) => out.generatd({ id: "1", answer: "a" }),
});

export const extraField = handler({
  on: requests,
  out: { generated },
  // @ts-expect-error -- a literal with a field that the schema does not know
  handle: (_message, { out }) => out.generated({ id: "1", answer: "a", wrods: 3 }),
});

export const missingField = handler({
  on: requests,
  out: { generated },
  // @ts-expect-error -- answer is missing
  handle: (_message, { out }) => out.generated({ id: "1" }),
});

export const badDuration = handler({
  on: requests,
  out: { generated },
  // @ts-expect-error -- no unit that we know
  handle: (_message, { out }) => out.generated({ id: "1", answer: "a" }, { after: "30 seconds" }),
});

export const mixedVariants = handler({
  on: requests,
  out: { errors },
  // @ts-expect-error -- a timeout has no retry_after_ms
  handle: (_message, { out }) => out.errors({ id: "1", error_type: "timeout", retry_after_ms: 3 }),
});

export const bareObject = handler({
  on: requests,
  out: { generated },
  // @ts-expect-error -- outputs are made by `out`, not written by hand
  handle: () => ({ generated: { id: "1", answer: "a" } }),
});

// @ts-expect-error -- by key, the user chooses what happens while a message waits for its retry
export const undecided = handler({ on: requests, order: { by: "key" }, handle() {} });

export const unknownDependency = app<{ model: Model }>().handler({
  on: requests,
  // @ts-expect-error -- no such dependency
  handle: (_message, { deps }) => void deps.modle,
});

export const unknownField = handler({
  on: requests,
  // @ts-expect-error -- id is a string
  handle: ({ value }) => void value.id.toFixed(),
});

// @ts-expect-error -- a key is made from the value's own fields
export const badKey = topic("bad", { schema: Answered, key: (value) => value.name });

// @ts-expect-error -- not a duration
export const duration: Duration = "soon";

export const singleInBatch = handler({
  on: requests,
  batch: { max: 500, within: "50ms" },
  // @ts-expect-error -- a run of a batch has messages, not one with a value
  handle: ({ value }) => void value,
});

export const batchInSingle = handler({
  on: requests,
  // @ts-expect-error -- without `batch`, a message is no list
  handle: (messages) => void messages.length,
});

export const failInSingle = handler({
  on: requests,
  // @ts-expect-error -- a handler of one message throws
  handle: (_message, { fail }) => fail(new Error("no")),
});

export const typoInBatch = handler({
  on: requests,
  out: { generated },
  batch: { max: 500, within: "50ms" },
  // @ts-expect-error -- no such output
  handle: (messages, { out }) => messages.map(() => out.generatd({ id: "1", answer: "a" })),
});

export const bareResults = handler({
  on: requests,
  out: { generated },
  batch: { max: 500, within: "50ms" },
  // @ts-expect-error -- results are made by `out` and `fail`
  handle: (messages) => messages.map(({ value }) => value.id),
});

export const halfBatch = handler({
  on: requests,
  // @ts-expect-error -- how long may a run wait?
  batch: { max: 500 },
  handle: () => undefined,
});
