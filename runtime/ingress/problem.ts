/**
 * Problem details (RFC 9457): the one form of every refusal and failure that leaves the door.
 *
 * In: a status and words for the person who asks. Out: a Response of `application/problem+json`.
 * Never here: stacks, sources, environment, causes. What the asker cannot act on belongs in the log.
 */
import * as v from "valibot";

/** One field that is wrong. `field` is a dotted path ("items.2.name"); "" is the whole body. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface ProblemOptions {
  /** A short sentence, the same for every problem of its kind. */
  readonly title: string;
  /** What was wrong this time, and what to do. */
  readonly detail?: string;
  /** Each field that is wrong. At most 100 are told. */
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** More fields than this are not listed one by one. */
export const MOST_FIELD_ERRORS = 100;
/** Longer messages are cut: a validator may repeat what it was given. */
const LONGEST_MESSAGE = 300;

/** The schema of a problem, for `response: { 400: Problem }` in a route's declaration. */
export const Problem = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.optional(v.string()),
  errors: v.optional(v.array(v.object({ field: v.string(), message: v.string() }))),
});

/** A refusal as a Response: `problem(404, { title: "No such question", detail: "…" })`. */
export function problem(status: number, { title, detail, errors, headers }: ProblemOptions): Response {
  const body = {
    type: "about:blank",
    title,
    status,
    ...(detail === undefined ? {} : { detail: cut(detail) }),
    ...(errors === undefined
      ? {}
      : {
          errors: errors
            .slice(0, MOST_FIELD_ERRORS)
            .map(({ field, message }) => ({ field: cut(field), message: cut(message) })),
        }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

function cut(text: string): string {
  return text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE).toWellFormed()}…`;
}
