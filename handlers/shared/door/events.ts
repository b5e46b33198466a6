/**
 * `GET /query/{id}/events`: a question's steps as server-sent events, from the first or from `Last-Event-ID` on.
 *
 * In: a question's id, where the reader was. Out: one event a step row, named for the step, its id the row's; comments while
 * nothing happens; at the end an event `end` with the question's status, and the end of the stream. Any process can go on where
 * another one ended: what is sent comes from Postgres alone. Never here: steps of other questions, error texts of a model.
 */
import type { Repository } from "../storage/repository.ts";
import type { StepRow } from "../storage/step-history.ts";
import type { QuestionStatus } from "../storage/status.ts";
import { hasEnded } from "./await-end.ts";
import type { StepFeed } from "./step-feed.ts";

export interface EventsOptions {
  readonly feed: Pick<StepFeed, "follow">;
  readonly repository: Pick<Repository, "findStatus" | "stepsAfter">;
  readonly clock: { after(delayMs: number, call: () => void): () => void };
  /** What `end` says. */
  readonly told: (status: QuestionStatus) => object;
  /** A comment after so long without an event, in ms, so that nobody on the way takes the stream for dead. Default 15000. */
  readonly heartbeatMs?: number;
}

const ROWS_AT_ONCE = 500;
/** A reader that is further behind is cut off; it comes back with the id of the last event that it has. */
const MOST_WAITING_BYTES = 256 * 1024;
/** How long a reader that lost the stream waits before it comes back. */
const RETRY_MS = 2_000;
/** Of a step's detail, what is meant for askers. */
const TOLD = [
  "attempt",
  "attempts",
  "deferrals",
  "reason",
  "error_type",
  "delay_ms",
  "retry_after_ms",
  "score",
  "again",
  "below_threshold",
  "model",
];

const LAST_STEPS = new Set(["stored", "failed"]);
/** The feed sweeps for ended questions every two seconds: so often an end without its row is left alone. */
const LOOKS_WITHOUT_ROW = 3;

const utf8 = new TextEncoder();

/** The row after which a reader wants to go on; 0 for all, null for what is no row's id. */
export function resumePoint(lastEventId: string | null): bigint | null {
  if (lastEventId === null || lastEventId === "") return 0n;
  return /^\d{1,18}$/.test(lastEventId) ? BigInt(lastEventId) : null;
}

/**
 * The stream. Resolves once the feed is followed, so what can fail fails as a response.
 * @throws Unavailable while the database is away or too many follow.
 */
export async function eventsOf(
  id: string,
  { after, signal }: { readonly after: bigint; readonly signal: AbortSignal },
  options: EventsOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { feed, repository, clock, heartbeatMs = 15_000 } = options;
  let sent = after;
  let lastStep = "";
  let looks = 0;
  /** Rows that came while the past was still being read. */
  let early: StepRow[] | null = [];
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  let cancelHeartbeat = () => {};
  let leave = () => {};
  const closing = new AbortController();

  const close = () => {
    if (closing.signal.aborted) return;
    closing.abort();
    leave();
    cancelHeartbeat();
    signal.removeEventListener("abort", close);
    try {
      controller?.close();
    } catch {
      // The reader has closed it already.
    }
  };
  const write = (text: string) => {
    if (closing.signal.aborted) return;
    controller?.enqueue(utf8.encode(text));
    if ((controller?.desiredSize ?? 0) < 0) return close();
    cancelHeartbeat();
    cancelHeartbeat = clock.after(heartbeatMs, () => write(":\n\n"));
  };
  const writeRows = (rows: readonly StepRow[]) => {
    const news = rows.filter(({ row }) => row > sent);
    sent = news.at(-1)?.row ?? sent;
    lastStep = news.at(-1)?.step ?? lastStep;
    if (news.length > 0) write(news.map(eventOf).join(""));
  };
  const endIfEnded = async () => {
    const status = await repository.findStatus(id);
    // An end that came while the past is read is seen again after it.
    if (closing.signal.aborted || early !== null || status === null || !hasEnded(status)) return;
    // The row of the last step is written a moment after the question has ended; and it may be lost.
    if (!LAST_STEPS.has(lastStep) && ++looks < LOOKS_WITHOUT_ROW) return;
    write(`event: end\ndata: ${JSON.stringify(options.told(status))}\n\n`);
    close();
  };
  const pastAndOn = async () => {
    for (let more = true; more && !closing.signal.aborted;) {
      const found = await repository.stepsAfter({ ids: [id], after: sent, limit: ROWS_AT_ONCE });
      writeRows(found.steps);
      more = found.more;
    }
    const came = early ?? [];
    early = null;
    writeRows(came);
    await endIfEnded();
  };

  leave = await feed.follow(id, {
    steps: (rows) => (early === null ? writeRows(rows) : void early.push(...rows)),
    mayHaveEnded: () => void endIfEnded().catch(() => {}),
  });
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
        write(`retry: ${RETRY_MS}\n\n`);
        // The database went away: the reader comes back, by itself.
        pastAndOn().catch(close);
      },
      cancel: close,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING_BYTES }),
  );
}

function eventOf({ row, round, step, at, handler, detail }: StepRow): string {
  const told = Object.fromEntries(
    TOLD.flatMap((name) => (detail[name] === undefined ? [] : [[name, detail[name]]])),
  );
  const data = { step, round, at, ...(handler !== null && { handler }), ...told };
  return `id: ${row}\nevent: ${step}\ndata: ${JSON.stringify(data)}\n\n`;
}
