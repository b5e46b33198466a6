/**
 * The judge of a fault run: recomputes from what went in what must have come out, and compares.
 *
 * In: a ledger of what was sent, sightings of what came out, when rows were due and published. Out: a verdict with every kind
 * of anomaly. Pure; knows no broker and no database. Never here: faults, waiting, topics.
 */

/** One message that was sent, or tried. */
export interface LedgerEntry {
  /** The id that it must carry where it is seen. */
  readonly id: string;
  readonly key: string;
  /** Grows within a key in the order of sending. */
  readonly seq: number;
  /** False where the sender never learned that the broker has it: it may be seen, and may be missing. */
  readonly acked: boolean;
  /** It waited as a row on its way, so others of its key may pass it. */
  readonly waited?: boolean;
}

/** One record as it lies on the topic that is looked at. */
export interface Sighting {
  readonly id: string;
  readonly key: string;
  readonly seq: number;
  readonly partition: number;
  readonly offset: number;
}

/** One row of the schedule, both times by the same clock, in ms. */
export interface Fired {
  readonly id: string;
  readonly dueMs: number;
  readonly publishedMs: number;
}

export interface AuditRules<Seen extends Sighting> {
  /** Fewer different messages than this prove nothing, and the run fails. */
  readonly leastSuccesses: number;
  /** May this one repeat those, which carry the same id and lie before it? Default: nothing is repeated. */
  readonly mayRepeat?: (again: Seen, earlier: readonly Seen[]) => boolean;
  /** Do offsets begin at 0 and leave none out? Not on topics with transactions, compaction or retention. Default true. */
  readonly gapless?: boolean;
}

export interface AuditInput<Seen extends Sighting> {
  readonly ledger: readonly LedgerEntry[];
  readonly sightings: readonly Seen[];
  readonly fired?: readonly Fired[];
  readonly rules: AuditRules<Seen>;
}

export type AnomalyKind =
  /** Acknowledged and never seen. */
  | "lost"
  /** Seen and never sent. */
  | "unknown"
  /** The message is there under another id than its own. */
  | "other_id"
  /** Seen again where nothing allows it. */
  | "repeated"
  /** First seen after a later one of its key. */
  | "reordered"
  /** An offset that was not seen between those that were. */
  | "skipped_offset"
  /** Published before it was due. */
  | "early"
  | "too_few";

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly detail: string;
}

export interface Verdict {
  readonly passed: boolean;
  /** Different messages that were seen under their own id. */
  readonly successes: number;
  /** Sightings beyond the first of their message, allowed ones too. */
  readonly repeats: number;
  readonly anomalies: readonly Anomaly[];
}

/** Judges one topic of one run. Never throws. */
export function audit<Seen extends Sighting>(input: AuditInput<Seen>): Verdict {
  const { ledger, rules } = input;
  const sightings = input.sightings.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  const sent = new Map(ledger.map((entry) => [nameOf(entry), entry]));
  const seen = new Map<string, Seen[]>();
  const anomalies: Anomaly[] = [];
  let repeats = 0;
  for (const sighting of sightings) {
    const entry = sent.get(nameOf(sighting));
    if (entry === undefined) anomalies.push({ kind: "unknown", detail: show(sighting) });
    else if (entry.id !== sighting.id) {
      anomalies.push({ kind: "other_id", detail: `${show(sighting)} should be ${entry.id}` });
    } else {
      const earlier = seen.get(sighting.id);
      if (earlier === undefined) seen.set(sighting.id, [sighting]);
      else {
        repeats++;
        if (rules.mayRepeat?.(sighting, earlier) !== true) {
          anomalies.push({
            kind: "repeated",
            detail: `${show(sighting)} after ${earlier.map(show).join(", ")}`,
          });
        }
        earlier.push(sighting);
      }
    }
  }
  for (const entry of ledger) {
    if (entry.acked && !seen.has(entry.id)) {
      anomalies.push({ kind: "lost", detail: `${entry.id} (${nameOf(entry)})` });
    }
  }
  anomalies.push(...reordered(sightings, sent));
  if (rules.gapless !== false) anomalies.push(...skippedOffsets(sightings));
  anomalies.push(...early(input.fired ?? []));
  if (seen.size < rules.leastSuccesses) {
    anomalies.push({ kind: "too_few", detail: `${seen.size} of at least ${rules.leastSuccesses}` });
  }
  return { passed: anomalies.length === 0, successes: seen.size, repeats, anomalies };
}

/** "lost 2 (a (k#1), …)", kind by kind; empty where there is nothing to say. */
export function describeAnomalies({ anomalies }: Pick<Verdict, "anomalies">): string {
  const kinds = Map.groupBy(anomalies, ({ kind }) => kind);
  return [...kinds]
    .map(([kind, all]) => {
      const shown = all.slice(0, SHOWN).map(({ detail }) => detail);
      return `${kind} ${all.length} (${shown.join("; ")}${all.length > SHOWN ? "; …" : ""})`;
    })
    .join(", ");
}

const SHOWN = 3;

/**
 * By the first sighting of each message: a repeat of what was in order already is judged as a repeat. Messages that waited as
 * rows are no part of the order, nor are those whose sender knew nothing.
 */
function reordered(sightings: readonly Sighting[], sent: ReadonlyMap<string, LedgerEntry>): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const known = new Set<string>();
  const highest = new Map<string, number>();
  for (const sighting of sightings) {
    const name = nameOf(sighting);
    const entry = sent.get(name);
    if (entry === undefined || entry.waited === true || !entry.acked || known.has(name)) continue;
    known.add(name);
    const before = highest.get(sighting.key);
    if (before !== undefined && before > sighting.seq) {
      anomalies.push({ kind: "reordered", detail: `${show(sighting)} after ${sighting.key}#${before}` });
    } else highest.set(sighting.key, sighting.seq);
  }
  return anomalies;
}

function skippedOffsets(sightings: readonly Sighting[]): Anomaly[] {
  const next = new Map<number, number>();
  const anomalies: Anomaly[] = [];
  for (const { partition, offset } of sightings) {
    const expected = next.get(partition) ?? 0;
    if (offset > expected) {
      anomalies.push({
        kind: "skipped_offset",
        detail: `partition ${partition}: ${expected} to ${offset - 1}`,
      });
    }
    next.set(partition, Math.max(expected, offset + 1));
  }
  return anomalies;
}

function early(fired: readonly Fired[]): Anomaly[] {
  return fired
    .filter(({ dueMs, publishedMs }) => publishedMs < dueMs)
    .map(({ id, dueMs, publishedMs }) => ({ kind: "early", detail: `${id} by ${dueMs - publishedMs} ms` }));
}

function nameOf({ key, seq }: Pick<LedgerEntry, "key" | "seq">): string {
  return `${key}#${seq}`;
}

function show(sighting: Sighting): string {
  return `${sighting.id} (${nameOf(sighting)}) at ${sighting.partition}/${sighting.offset}`;
}
