/**
 * The identity of a question: equal questions get equal ids, whoever asks and however they space or capitalise.
 *
 * In: title and content (well-formed Unicode: lone surrogates are refused before this). Out: 32 hex digits.
 * Never here: `best_answer`. A reference belongs to an asker, not to the question.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

export interface Identified {
  readonly title: string;
  readonly content: string;
}

/**
 * The first 32 hex digits of SHA-256 over canonical(title) + U+001F + canonical(content), in UTF-8.
 * `question-id.sh` beside this file computes the same with common tools (it does no NFC: give it text in NFC).
 *
 * Not by `crypto.subtle`: that answers from another thread, which costs a short question ten times what hashing it does.
 */
export function questionId({ title, content }: Identified): string {
  const bytes = new TextEncoder().encode(`${canonicalText(title)}\u001f${canonicalText(content)}`);
  return bytesToHex(sha256(bytes)).slice(0, 32);
}

/**
 * In this order: lower case (Unicode's default mapping, no locale), every run of white space to one space, no space at
 * either end, NFC. White space is Unicode's White_Space, the separators U+001C to U+001F (so that U+001F can only ever
 * stand between title and content) and the byte order mark U+FEFF.
 */
export function canonicalText(text: string): string {
  return text.toLowerCase().replace(WHITE_SPACE, " ").replace(/^ | $/g, "").normalize("NFC");
}

/** Has this text nothing but white space: is its canonical text empty? */
export function isBlank(text: string): boolean {
  return !OTHER_THAN_SPACE.test(text);
}

// oxlint-disable no-control-regex -- U+001C to U+001F are white space here on purpose, see above.
const WHITE_SPACE = /[\p{White_Space}\u001c-\u001f\ufeff]+/gu;
const OTHER_THAN_SPACE = /[^\p{White_Space}\u001c-\u001f\ufeff]/u;
// oxlint-enable no-control-regex
