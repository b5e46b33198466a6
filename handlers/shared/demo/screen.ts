/**
 * Ten ways that grow while they are looked at.
 *
 * In: titles, then words for one of them at a time. Out: on a terminal one line a question that grows in place,
 * elsewhere one line a step. Never here: what the words mean.
 */
import { ARROW } from "./way.ts";

export interface ScreenOptions {
  readonly titles: readonly string[];
  readonly terminal: boolean;
  readonly write: (text: string) => void;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  /** Since the start, in ms. */
  readonly elapsedMs: () => number;
}

export interface Screen {
  /** Adds words to the way of a question, by its index. */
  add(index: number, words: string): void;
  /** The words so far. */
  way(index: number): readonly string[];
  /** The last look: every way whole, however many lines it takes. */
  end(): void;
}

const TITLE_WIDTH = 34;

export function openScreen(options: ScreenOptions): Screen {
  const { titles, terminal, write, columns, elapsedMs } = options;
  const ways = titles.map((): string[] => []);
  const wholeOf = (index: number) =>
    `${labelOf(index, titles[index] ?? "")}  ${(ways[index] ?? []).join(ARROW)}`;
  const lineOf = (index: number) => fit(wholeOf(index), columns);
  const draw = () => ways.map((_, index) => `\u001b[2K${lineOf(index)}\n`).join("");
  if (terminal) write(draw());
  return {
    add(index, words) {
      ways[index]?.push(words);
      if (terminal) write(`\u001b[${ways.length}A${draw()}`);
      else {
        const seconds = (elapsedMs() / 1_000).toFixed(1).padStart(5);
        write(`${seconds} s  ${labelOf(index, titles[index] ?? "")}  ${words}\n`);
      }
    },
    way: (index) => ways[index] ?? [],
    end() {
      if (terminal && ways.some((_, index) => wholeOf(index).length > columns)) {
        write(`\u001b[${ways.length}A\u001b[J${ways.map((_, index) => `${wholeOf(index)}\n`).join("")}`);
      }
    },
  };
}

/** " 2 ¿Quién escribió Cien años de sole…", always of one width. */
export function labelOf(index: number, title: string): string {
  const text = title.length > TITLE_WIDTH ? `${title.slice(0, TITLE_WIDTH - 1)}…` : title;
  return `${String(index + 1).padStart(2)} ${text.padEnd(TITLE_WIDTH)}`;
}

/**
 * A line that is wider than the terminal would wrap, and the cursor would no longer come back to its start. What happened last
 * is what matters: the middle is left out.
 */
function fit(line: string, columns: number): string {
  if (line.length <= columns) return line;
  const head = TITLE_WIDTH + 5;
  const tail = Math.max(0, columns - head - 2);
  return `${line.slice(0, head)}… ${tail === 0 ? "" : line.slice(-tail)}`.slice(0, columns);
}
