/**
 * What a scheduler among the peers is asked to do, and what it saw.
 *
 * In: the work as JSON on the command line. Out: how late each job was. A job's data say when it is due, by this machine's clock,
 * which is the database's. Never here: a scheduler.
 */
export interface DueWork {
  readonly url: string;
  /** `waiting` fills jobs that wait for a day, `due` those of the run; `work` runs them. */
  readonly role: "waiting" | "due" | "work";
  readonly rows: number;
  /** When the first is due, in ms since 1970, and over how long all of them are. */
  readonly firstMs: number;
  readonly overMs: number;
}

export interface DueResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly early: number;
  readonly repeated: number;
  /** When the last was run, in ms since 1970. */
  readonly lastMs: number;
}

export interface DueData {
  readonly n: number;
  readonly dueMs: number;
  readonly text: string;
}

export const readDueWork = (): DueWork => JSON.parse(process.argv[2] ?? "") as DueWork;

const PIECE = 5_000;

/** The jobs of a run, in pieces that an insert takes. */
export function* piecesOf({ rows, firstMs, overMs }: DueWork): Generator<readonly DueData[]> {
  for (let from = 0; from < rows; from += PIECE) {
    yield Array.from({ length: Math.min(PIECE, rows - from) }, (_, at) => {
      const n = from + at;
      return { n, dueMs: firstMs + (n * overMs) / rows, text: "x".repeat(100) };
    });
  }
}

/** Notes each job as it is run; prints the result and ends the process with the last. */
export function noteDue({ rows }: DueWork): (job: DueData) => void {
  const late: number[] = [];
  const seen = new Set<number>();
  return ({ n, dueMs }) => {
    const nowMs = performance.timeOrigin + performance.now();
    late.push(nowMs - dueMs);
    seen.add(n);
    if (seen.size < rows) return;
    const sorted = late.toSorted((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
    const result: DueResult = {
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      early: sorted.filter((each) => each < 0).length,
      repeated: late.length - seen.size,
      lastMs: nowMs,
    };
    // What it does after a job is done, it does before the next run.
    setTimeout(() => process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)), 1_000);
  };
}
