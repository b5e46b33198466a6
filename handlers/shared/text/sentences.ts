/**
 * A passage cut into its sentences.
 *
 * In: running text. Out: trimmed sentences in order; none is empty. Never here: paragraphs, headings, markup.
 */

/** Ends at . ! ? … or a line break, but not after an initial ("J. Watt"), a known short form or between digits. */
export function sentencesOf(passage: string): string[] {
  const sentences: string[] = [];
  let start = 0;
  for (const match of passage.matchAll(/[.!?…]+["»”’')\]]*(?:\[\d+\])*(?=\s)|\n+/g)) {
    const end = match.index + match[0].length;
    const before = passage.slice(start, match.index);
    if (match[0].startsWith(".") && !endsHere(before, passage.slice(end, end + 8))) continue;
    push(sentences, passage.slice(start, end));
    start = end;
  }
  push(sentences, passage.slice(start));
  return sentences;
}

function push(sentences: string[], text: string): void {
  const sentence = text.replace(/[\s\uFEFF]+/g, " ").trim();
  if (sentence !== "") sentences.push(sentence);
}

function endsHere(before: string, after: string): boolean {
  const word = /(\S+)$/.exec(before.slice(-24))?.[1] ?? "";
  if (/^\p{Lu}$/u.test(word) || SHORT_FORMS.has(word.toLowerCase())) return false;
  return !/^\s*\p{Ll}/u.test(after);
}

const SHORT_FORMS = new Set(
  "mr mrs ms dr st jr sr vs etc no vol fig gen col lt prof rev gov sen rep inc ltd co sra dra ud uds av núm pág c ca e.g i.e".split(
    " ",
  ),
);

/** The list above, for whoever cuts sentences in another language. */
export const SENTENCE_TABLES = { shortForms: [...SHORT_FORMS] };
