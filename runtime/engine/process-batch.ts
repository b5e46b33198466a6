/**
 * As process.ts, for handlers of batches: several records in, an Outcome for each.
 *
 * One run for all that can be read; what it returns names a result per message. Never here: publishing, rows, offsets.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import { emittersFor, Failure, type Emission } from "../handler/emission.ts";
import type { Batch } from "../handler/handler.ts";
import type { Message } from "../handler/message.ts";
import { outcomeOf, unreadable } from "./conclude.ts";
import { checkReturned, emit, listOf } from "./emit.ts";
import { readEnvelope, type Envelope } from "./envelope.ts";
import { concluded, decide, postponed, RunContext, type Processed, type Processing } from "./process.ts";
import { keyOf, messageOf, readValue } from "./read.ts";
import { Run, type Interruption } from "./run.ts";

/** A record that a handler may see. */
interface Readable {
  readonly at: number;
  readonly record: IncomingRecord;
  readonly envelope: Envelope;
  readonly value: unknown;
  readonly message: Message;
}

/** Runs the records of one batch, in order, and answers in the same order. Never rejects. */
export async function processBatch(
  records: readonly IncomingRecord[],
  batch: Batch,
  work: { readonly processing: Processing; readonly interruption: Interruption },
): Promise<readonly Processed[]> {
  const { processing } = work;
  const answers: Processed[] = [];
  const readables: Readable[] = [];
  for (const [at, record] of records.entries()) {
    const envelope = readEnvelope(record);
    const later = postponed(record, envelope, processing);
    if (later !== null) {
      answers[at] = later;
      continue;
    }
    const read = await readValue(record, processing.handler.on);
    const { value } = read;
    if (read.readable) {
      const message = messageOf({ envelope, key: keyOf(record), value, processing });
      readables.push({ at, record, envelope, value, message });
    } else {
      const outcome = unreadable(read.thrown, record, envelope, processing);
      answers[at] = concluded({ envelope, value, processing }, outcome);
    }
  }
  if (readables.length > 0) {
    failpoint("process.decoded");
    const handled = await runAll(readables, batch, work);
    for (const [index, { at }] of readables.entries()) {
      const answer = handled[index];
      if (answer !== undefined) answers[at] = answer;
    }
  }
  return answers;
}

async function runAll(
  readables: readonly Readable[],
  batch: Batch,
  { processing, interruption }: { readonly processing: Processing; readonly interruption: Interruption },
): Promise<readonly Processed[]> {
  const { handler } = processing;
  for (const { envelope, value } of readables) processing.started?.(envelope, value);
  const { out, made } = emittersFor(handler.out);
  const run = new Run(processing, interruption);
  const fail = (error: unknown) => new Failure(error);
  try {
    const messages = readables.map(({ message }) => message);
    const id = `${messages[0]?.id} and ${messages.length - 1} more`;
    const context = Object.assign(new RunContext(run, processing, out, { id }), { fail });
    const returned = await run.of(batch, messages, context);
    failpoint("process.handled");
    const results = resultsOf(returned, readables.length, made);
    const answers: Processed[] = [];
    for (const [at, one] of readables.entries())
      answers.push(await concludeOne(one, results[at], processing));
    return answers;
  } catch (thrown) {
    if (interruption.interrupted)
      return readables.map((one) => concluded({ ...one, processing }, { kind: "aborted" }));
    return readables.map((one) => failed(one, thrown, processing));
  }
}

/** One result per message. @throws CauceError `output_misused` */
function resultsOf(returned: unknown, count: number, made: readonly Emission[]): readonly unknown[] {
  if (returned === undefined) {
    checkReturned([], made);
    return [];
  }
  if (!Array.isArray(returned) || returned.length !== count) {
    const came = Array.isArray(returned) ? `${returned.length} results` : typeof returned;
    throw new CauceError(
      "output_misused",
      `a handler of batches returns nothing, or one result per message in their order: ${count} messages, ${came}`,
    );
  }
  const results: readonly unknown[] = returned;
  checkReturned(
    results.flatMap((result) => (result instanceof Failure ? [] : listOf(result))),
    made,
  );
  return results;
}

async function concludeOne(one: Readable, result: unknown, processing: Processing): Promise<Processed> {
  if (result instanceof Failure) return failed(one, result.error, processing);
  // `checkReturned` has seen that each was made in this run.
  const made = listOf(result) as readonly Emission[];
  try {
    const nowMs = processing.clock.nowMs();
    const done = await emit(result, made, { by: processing, input: one.envelope, nowMs });
    return concluded({ ...one, processing }, done, null, made);
  } catch (thrown) {
    return failed(one, thrown, processing);
  }
}

function failed(one: Readable, thrown: unknown, processing: Processing): Processed {
  const verdict = decide(thrown, one.envelope, processing);
  const outcome = outcomeOf(verdict, one.record, one.envelope, processing);
  return concluded({ ...one, processing }, outcome, verdict);
}
