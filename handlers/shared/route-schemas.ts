/**
 * What the routes take. What they answer is in door/documents.ts.
 *
 * Bounds are in UTF-16 units. Together they stay below Kafka's usual limit of 1 MB a record, escapes counted.
 */
import * as v from "valibot";
import { isBlank } from "./questions/identity.ts";

const LONGEST_TITLE = 1_000;
const LONGEST_CONTENT = 100_000;
const LONGEST_REFERENCE = 20_000;

/**
 * Text that every part of the way can carry: no U+0000 (Postgres), no lone surrogates (UTF-8). One pattern says it, since the API's
 * description tells one; each is read once from left to right, whatever comes.
 */
const plainText = (longest: number, pattern: RegExp, expected: string) =>
  v.pipe(
    v.string("expected text"),
    v.maxLength(longest, `expected at most ${longest} characters`),
    v.regex(pattern, expected),
    v.check((text) => text.isWellFormed(), "must not contain lone surrogates: it is no valid Unicode"),
  );

// oxlint-disable no-control-regex -- U+0000 is the very character that must not be there.
const ANY_TEXT = /^[^\u0000]*$/;
// What `isBlank` takes for white space, whatever an engine takes for \s.
const NOT_BLANK = /^[\s\uFEFF\u001C-\u001F\u0085]*[^\s\uFEFF\u0000\u001C-\u001F\u0085][^\u0000]*$/;
// oxlint-enable no-control-regex
const NO_NUL = "must not contain U+0000";

export const askedBody = v.pipe(
  v.object({
    title: v.pipe(
      plainText(LONGEST_TITLE, NOT_BLANK, `expected a question, not an empty text; ${NO_NUL}`),
      v.check((title) => !isBlank(title), "expected a question, not an empty text"),
    ),
    content: v.optional(plainText(LONGEST_CONTENT, ANY_TEXT, NO_NUL), ""),
    best_answer: v.optional(plainText(LONGEST_REFERENCE, ANY_TEXT, NO_NUL), ""),
  }),
  v.examples([{ title: "What is the capital of France?", content: "", best_answer: "Paris" }]),
);
