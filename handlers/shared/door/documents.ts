/**
 * What the OpenAPI document says about the application's routes: every answer with its form and an example.
 *
 * In: nothing. Out: `detail` of each route. Never here: what the door itself refuses (runtime/ingress/openapi.ts adds that).
 */
import { described } from "cauce/ingress";

const ID = "4f0d6e0ab3c5c2a1f0a6d9b1c8e7f203";
const STATES = ["queued", "generating", "scoring", "waiting", "done", "failed", "cancelled"];
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
const STATUS = {
  id: ID,
  title: RESULT.title,
  state: "waiting",
  since: "2026-01-01T12:00:01.000Z",
  round: 1,
  waiting_until: "2026-01-01T12:00:03.100Z",
  reason: "rate_limit",
};
const EVENT = {
  id: "41",
  event: "generating",
  data: '{"step":"generating","round":1,"at":"2026-01-01T12:00:00.200Z","handler":"llm.requests","attempt":1}',
};

const text = { type: "string" };
const moment = { type: "string", format: "date-time" };
const points = { type: "number", minimum: 0, maximum: 10 };
const round = { type: "integer", minimum: 1 };
const id = { type: "string", pattern: "^[0-9a-f]{32}$", examples: [ID] };

const resultFields = {
  id,
  title: text,
  answer: text,
  score: points,
  rubric: { type: "object", additionalProperties: points },
  below_threshold: { type: "boolean" },
  model: text,
  judge: text,
  round,
  created_at: moment,
};
const statusFields = {
  ...resultFields,
  state: { type: "string", enum: STATES },
  since: moment,
  waiting_until: moment,
  reason: text,
  result_round: round,
};
const object = (properties: object, required: readonly string[]) => ({
  type: "object",
  properties,
  required: [...required],
});

const resultForm = (extra: object) =>
  object({ ...resultFields, ...extra }, [...Object.keys(resultFields), ...Object.keys(extra)]);
const statusForm = (extra: object) =>
  object({ ...statusFields, ...extra }, ["id", "title", "state", "round", ...Object.keys(extra)]);

const hitForm = resultForm({ hit: { const: true }, from: { type: "string", enum: ["db", "cache"] } });
const endedForm = statusForm({ hit: { const: false } });
const eventForm = object({ id: text, event: text, data: text, retry: { type: "integer" } }, []);
const queuedForm = object({ queued: { const: true }, id }, ["queued", "id"]);

interface Header {
  readonly description: string;
  readonly schema: object;
}
const LOCATION: Readonly<Record<string, Header>> = {
  location: { description: "Where the question's status is.", schema: { type: "string" } },
};
const RETRY_AFTER: Readonly<Record<string, Header>> = {
  "retry-after": { description: "Come back after so many seconds.", schema: { type: "integer", minimum: 1 } },
};
const APPLIED: Readonly<Record<string, Header>> = {
  "preference-applied": { description: "`wait=N`: how long it waited at most.", schema: { type: "string" } },
};

const answered = (
  description: string,
  content: { readonly schema: object; readonly examples: Readonly<Record<string, object>> },
  headers: Readonly<Record<string, Header>> = {},
) => {
  const examples = Object.fromEntries(
    Object.entries(content.examples).map(([name, value]) => [name, { value }]),
  );
  return { description, headers, content: { "application/json": { schema: content.schema, examples } } };
};
const refused = (
  description: string,
  example: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, Header>> = {},
) => ({
  description,
  headers,
  content: {
    "application/problem+json": {
      schema: { type: "object" },
      example: { type: "about:blank", ...example },
    },
  },
});

const keyRefusals = {
  401: refused(
    "API keys are in use, and this request brings none that is valid.",
    { title: "A key is needed", status: 401, detail: "send it as authorization: Bearer KEY" },
    { "www-authenticate": { description: "Bearer.", schema: { type: "string" } } },
  ),
  429: refused(
    "This key asks more often than it may.",
    { title: "Too many requests", status: 429, detail: "this key may ask 60 times a minute" },
    RETRY_AFTER,
  ),
};
const notNow = refused(
  "What this needs is away, or too many wait already.",
  {
    title: "Not now",
    status: 503,
    detail: "a new question would wait for about 1240 s; ask again in 340 s",
  },
  RETRY_AFTER,
);
const malformed = refused("The id or the wait cannot be read.", {
  title: "This is no question id",
  status: 400,
  errors: [{ field: "id", message: "expected 32 hex digits, as POST /query answered" }],
});
const unknown = refused("Nobody has asked it.", { title: "No such question", status: 404 });

const idParameter = { name: "id", in: "path", required: true, schema: id };
const waitParameters = [
  {
    name: "wait",
    in: "query",
    description: "Wait for the answer, at most so many whole seconds. More than the door allows is cut.",
    schema: { type: "integer", minimum: 0, maximum: 999_999_999 },
    example: 20,
  },
  {
    name: "prefer",
    in: "header",
    description: "`wait=20`, as RFC 7240 has it; what cannot be read is ignored.",
    schema: { type: "string" },
    example: "wait=20",
  },
];
const security = [{}, { apiKey: [] }];
const tags = ["questions"];

export const documentAsk = described({
  summary: "Ask a question",
  description:
    "Answers from what is known, or queues the question once. The same question (title and content, ignoring case and " +
    "spaces) has the same id. 202 means that it survives any crash. Who prefers to wait gets the answer, when it comes in time.",
  tags,
  security,
  parameters: waitParameters,
  responses: {
    200: answered(
      "It was answered before, or (`hit` false) it has ended while the asker waited: done with its result, failed or cancelled.",
      {
        schema: { oneOf: [hitForm, endedForm] },
        examples: {
          hit: { hit: true, from: "db", ...RESULT },
          waited: { hit: false, state: "done", since: RESULT.created_at, ...RESULT },
          failed: { hit: false, ...STATUS, state: "failed", reason: "the model refused" },
        },
      },
      APPLIED,
    ),
    202: answered(
      "It is on its way.",
      { schema: queuedForm, examples: { queued: { queued: true, id: ID } } },
      { ...LOCATION, ...APPLIED },
    ),
    ...keyRefusals,
    413: refused("The body is too large.", { title: "Too large", status: 413 }),
    422: refused("The body is no question: each wrong field is named.", {
      title: "The request is not valid",
      status: 422,
      errors: [{ field: "title", message: "expected a question, not an empty text" }],
    }),
    503: notNow,
  },
});

export const documentStatus = described({
  summary: "Where a question is",
  description:
    "queued, generating, scoring, waiting (until when, and why), done (with the result), failed, cancelled. Who prefers to wait " +
    "gets its end, when it comes in time.",
  tags,
  security,
  parameters: [idParameter, ...waitParameters],
  responses: {
    200: answered(
      "Its state.",
      {
        schema: statusForm({}),
        examples: {
          waiting: STATUS,
          done: { ...RESULT, state: "done", since: RESULT.created_at },
        },
      },
      APPLIED,
    ),
    400: malformed,
    404: unknown,
    ...keyRefusals,
    503: notNow,
  },
});

export const documentEvents = described({
  summary: "A question's steps as they happen",
  description:
    "Server-sent events: one for each step, named for it, with JSON as its data; comments while nothing happens; at last `end` " +
    "with the question's status. With `Last-Event-ID` it goes on after that event, at any process and after a restart.",
  tags,
  security,
  parameters: [
    idParameter,
    {
      name: "last-event-id",
      in: "header",
      description: "The id of the last event that was read.",
      schema: { type: "string" },
      example: "41",
    },
  ],
  responses: {
    200: {
      description: "The stream.",
      // Of each event of the stream.
      content: { "text/event-stream": { schema: eventForm, example: EVENT } },
    },
    204: { description: "The question has ended and the reader has all its events: do not come back." },
    400: malformed,
    404: unknown,
    ...keyRefusals,
    503: notNow,
  },
});
