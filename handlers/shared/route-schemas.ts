/**
 * What `POST /query` takes, and what the OpenAPI document says about both routes.
 *
 * Bounds are in UTF-16 units. Together they stay below Kafka's usual limit of 1 MB a record, escapes counted.
 */
import * as v from "valibot";
import { canonicalText } from "./questions/identity.ts";

const LONGEST_TITLE = 1_000;
const LONGEST_CONTENT = 100_000;
const LONGEST_REFERENCE = 20_000;

/** Text that every part of the way can carry: no U+0000 (Postgres), no lone surrogates (UTF-8). */
const plainText = (longest: number) =>
  v.pipe(
    v.string("expected text"),
    v.maxLength(longest, `expected at most ${longest} characters`),
    v.check((text) => !text.includes("\u0000"), "must not contain U+0000"),
    v.check((text) => text.isWellFormed(), "must not contain lone surrogates: it is no valid Unicode"),
  );

export const askedBody = v.object({
  title: v.pipe(
    plainText(LONGEST_TITLE),
    v.check((title) => canonicalText(title) !== "", "expected a question, not an empty text"),
  ),
  content: v.optional(plainText(LONGEST_CONTENT), ""),
  best_answer: v.optional(plainText(LONGEST_REFERENCE), ""),
});

const ID = "4f0d6e0ab3c5c2a1f0a6d9b1c8e7f203";
const RESULT = {
  id: ID,
  title: "What is the capital of France?",
  answer: "Paris.",
  score: 8.9,
  rubric: { accuracy: 10, completeness: 8, clarity: 9, conciseness: 7, usefulness: 8 },
  below_threshold: false,
  model: "offline",
  judge: "offline",
  round: 1,
  created_at: "2026-01-01T12:00:00.000Z",
};

const json = (description: string, example: unknown) => ({
  description,
  content: { "application/json": { schema: { type: "object" as const }, example } },
});
const refused = (description: string, example: Readonly<Record<string, unknown>>) => ({
  description,
  content: {
    "application/problem+json": {
      schema: { type: "object" as const },
      example: { type: "about:blank", ...example },
    },
  },
});

export const documentAsk = {
  summary: "Ask a question",
  description:
    "Answers from what is known, or queues the question once. The same question (title and content, ignoring case and " +
    "spaces) has the same id. 202 means that it survives any crash.",
  tags: ["questions"],
  responses: {
    200: json("It was answered before.", { hit: true, from: "db", ...RESULT }),
    202: json("It is on its way.", { queued: true, id: ID }),
    413: refused("The body is too large.", { title: "Too large", status: 413 }),
    422: refused("The body is no question: each wrong field is named.", {
      title: "The request is not valid",
      status: 422,
      errors: [{ field: "title", message: "expected a question, not an empty text" }],
    }),
    503: refused("It can be neither answered nor kept now. See Retry-After.", {
      title: "Not now",
      status: 503,
    }),
  },
};

export const documentStatus = {
  summary: "Where a question is",
  description:
    "queued, generating, scoring, waiting (until when, and why), done (with the result), failed, cancelled.",
  tags: ["questions"],
  responses: {
    200: json("Its state.", {
      id: ID,
      title: RESULT.title,
      state: "waiting",
      since: "2026-01-01T12:00:01.000Z",
      round: 1,
      waiting_until: "2026-01-01T12:00:03.100Z",
      reason: "rate_limit",
    }),
    400: refused("The id is malformed.", { title: "This is no question id", status: 400 }),
    404: refused("Nobody has asked it.", { title: "No such question", status: 404 }),
    503: refused("The database is away. See Retry-After.", { title: "Not now", status: 503 }),
  },
};
