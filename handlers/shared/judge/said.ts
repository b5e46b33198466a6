/**
 * An answer, prepared once so that many readings of a reference can be compared with it.
 *
 * In: the question and the answer. Out: its words and stems, where each stands, and the nearest word to any other.
 * Never here: what a likeness is worth (likeness.ts).
 */
import { fold, isStopWord, likeness, stem, tokens } from "../text/tokens.ts";

/** Bounds of one judgement: 0.2 s for the worst answer and reference that were found, 0.2 ms for usual ones. */
const LONGEST_ANSWER = 20_000;
const MOST_WORDS = 2_000;
/** Comparisons letter by letter, all readings of the reference together; after that only equal words and stems are found. */
const MOST_COMPARISONS = 100_000;

/** Words less alike than this are different words. */
const LEAST_LIKENESS = 0.75;

export interface Match {
  /** 1 for the same word, 0.95 for the same stem, from 0.75 for a like one, else 0. */
  readonly likeness: number;
  /** Where in the answer; its length for none. */
  readonly at: number;
}

export class Said {
  readonly words: readonly string[];
  /** The words that carry content, and their stems. */
  readonly content: readonly string[];
  readonly contentStems: readonly string[];
  /** Stems of the content words that do not stand in the question already. */
  readonly foreignStems: readonly string[];
  readonly askedWords: ReadonlySet<string>;
  readonly askedStems: ReadonlySet<string>;
  /** Every three letters in a row that it has. */
  readonly trigrams: ReadonlySet<string>;
  readonly #first = new Map<string, number>();
  readonly #firstOfStem = new Map<string, number>();
  readonly #matches = new Map<string, Match>();
  #comparisons = 0;

  constructor(title: string, answer: string) {
    const text = answer.slice(0, LONGEST_ANSWER);
    this.words = tokens(text).slice(0, MOST_WORDS);
    this.content = this.words.filter((word) => !isStopWord(word));
    this.contentStems = this.content.map(stem);
    this.askedWords = new Set(tokens(title));
    this.askedStems = new Set([...this.askedWords].map(stem));
    this.foreignStems = this.contentStems.filter((root) => !this.askedStems.has(root));
    this.trigrams = trigramsOf(fold(text));
    for (const [index, word] of this.words.entries()) {
      if (!this.#first.has(word)) this.#first.set(word, index);
      const root = stem(word);
      if (!this.#firstOfStem.has(root)) this.#firstOfStem.set(root, index);
    }
  }

  /** The nearest word of the answer, the first of several. */
  nearest(token: string): Match {
    const known = this.#matches.get(token);
    if (known !== undefined) return known;
    const found = this.#find(token);
    this.#matches.set(token, found);
    return found;
  }

  #find(token: string): Match {
    const same = this.#first.get(token);
    if (same !== undefined) return { likeness: 1, at: same };
    const ofStem = this.#firstOfStem.get(stem(token));
    if (ofStem !== undefined) return { likeness: 0.95, at: ofStem };
    let best: Match = { likeness: 0, at: this.words.length };
    for (const [word, at] of this.#first) {
      // An edit for each letter that one has more: such words cannot be alike enough.
      const longer = Math.max(word.length, token.length);
      if (Math.abs(word.length - token.length) > longer * (1 - LEAST_LIKENESS)) continue;
      if (this.#comparisons++ >= MOST_COMPARISONS) break;
      const alike = likeness(token, word);
      if (alike >= LEAST_LIKENESS && alike > best.likeness) best = { likeness: alike, at };
    }
    return best;
  }
}

export function trigramsOf(folded: string): Set<string> {
  const plain = ` ${folded.replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
  const grams = new Set<string>();
  for (let index = 0; index + 3 <= plain.length; index++) grams.add(plain.slice(index, index + 3));
  return grams;
}

/** Limits from above, for whoever compares in another language. */
export const SAID_TABLES = {
  longestAnswer: LONGEST_ANSWER,
  mostWords: MOST_WORDS,
  mostComparisons: MOST_COMPARISONS,
  leastLikeness: LEAST_LIKENESS,
};
