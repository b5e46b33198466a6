import { expect, test } from "bun:test";
import { audit, describeAnomalies, type AuditInput, type LedgerEntry, type Sighting } from "./auditor.ts";

const ledger: readonly LedgerEntry[] = Array.from({ length: 40 }, (_, at) => ({
  id: `id-${at}`,
  key: `k${at % 4}`,
  seq: Math.floor(at / 4),
  acked: true,
}));

/** Each entry once, in order, two keys a partition. */
function clean(entries: readonly LedgerEntry[] = ledger): Sighting[] {
  const next = [0, 0];
  return entries.map(({ id, key, seq }) => {
    const partition = Number(key.slice(1)) % 2;
    const offset = next[partition] ?? 0;
    next[partition] = offset + 1;
    return { id, key, seq, partition, offset };
  });
}

function judge(sightings: readonly Sighting[], changes: Partial<AuditInput<Sighting>> = {}) {
  return audit({ ledger, sightings, rules: { leastSuccesses: 40 }, ...changes });
}

const kinds = (verdict: ReturnType<typeof judge>) => verdict.anomalies.map(({ kind }) => kind);
/** At the end of partition 0, as a record that comes later. */
const atEnd = (sighting: Sighting): Sighting => ({ ...sighting, partition: 0, offset: 20 });
const at = (index: number): Sighting => {
  const sighting = clean()[index];
  if (sighting === undefined) throw new RangeError(`there is no entry ${index}`);
  return sighting;
};

test("passes a run in which everything came once, in order, under its own id", () => {
  expect(judge(clean())).toEqual({ passed: true, successes: 40, repeats: 0, anomalies: [] });
});

test("catches an acknowledged message that is lost, whoever else is there", () => {
  const verdict = judge(clean(ledger.filter(({ id }) => id !== "id-17")), { rules: { leastSuccesses: 1 } });
  expect(kinds(verdict)).toEqual(["lost"]);
  expect(describeAnomalies(verdict)).toBe("lost 1 (id-17 (k1#4))");
});

test("does not miss a message whose sender never knew, and does not mind it either", () => {
  const unsure = ledger.map((entry) => (entry.id === "id-17" ? { ...entry, acked: false } : entry));
  const without = clean(ledger.filter(({ id }) => id !== "id-17"));
  expect(judge(without, { ledger: unsure, rules: { leastSuccesses: 39 } }).passed).toBe(true);
  expect(judge(clean(), { ledger: unsure }).passed).toBe(true);
});

test("catches a duplicate with another id", () => {
  expect(kinds(judge([...clean(), atEnd({ ...at(4), id: "id-other" })]))).toEqual(["other_id"]);
});

test("catches a duplicate with the same id where nothing allows it, and counts one that is allowed", () => {
  const sightings = [...clean(), atEnd(at(4))];
  expect(kinds(judge(sightings))).toEqual(["repeated"]);
  const allowed = judge(sightings, {
    rules: { leastSuccesses: 40, mayRepeat: (again, earlier) => again.id === "id-4" && earlier.length === 1 },
  });
  expect(allowed).toMatchObject({ passed: true, successes: 40, repeats: 1 });
});

test("catches a skipped offset, at the beginning of a partition too", () => {
  const shifted = clean().map((sighting) =>
    sighting.partition === 1 && sighting.offset >= 5
      ? { ...sighting, offset: sighting.offset + 2 }
      : sighting,
  );
  expect(describeAnomalies(judge(shifted))).toBe("skipped_offset 1 (partition 1: 5 to 6)");
  const late = clean().map((sighting) => ({ ...sighting, offset: sighting.offset + 1 }));
  expect(kinds(judge(late))).toEqual(["skipped_offset", "skipped_offset"]);
  expect(judge(late, { rules: { leastSuccesses: 40, gapless: false } }).passed).toBe(true);
});

test("catches a reordered key, and only on the way that keeps order", () => {
  const [one, two] = [at(8), at(12)];
  const swapped = clean().map((sighting) => {
    if (sighting.id === one.id) return { ...sighting, offset: two.offset };
    return sighting.id === two.id ? { ...sighting, offset: one.offset } : sighting;
  });
  expect(kinds(judge(swapped))).toEqual(["reordered"]);
  const waited = ledger.map((entry) => (entry.key === one.key ? { ...entry, waited: true } : entry));
  expect(judge(swapped, { ledger: waited }).passed).toBe(true);
});

test("does not take the repeat of an ordered stretch for a reordering", () => {
  const again = [at(0), at(4)].map((sighting, index) => ({ ...sighting, offset: 20 + index }));
  const verdict = judge([...clean(), ...again], { rules: { leastSuccesses: 40, mayRepeat: () => true } });
  expect(verdict).toMatchObject({ passed: true, repeats: 2 });
});

test("catches a row that fired early, by a millisecond", () => {
  const fired = [
    { id: "id-1", dueMs: 1_000, publishedMs: 1_000 },
    { id: "id-2", dueMs: 1_000, publishedMs: 999 },
  ];
  expect(describeAnomalies(judge(clean(), { fired }))).toBe("early 1 (id-2 by 1 ms)");
});

test("catches a record that nobody sent", () => {
  expect(kinds(judge([...clean(), atEnd({ ...at(4), seq: 999 })]))).toEqual(["unknown"]);
});

test("fails a run with too few successes, an empty one above all", () => {
  expect(kinds(judge(clean(), { rules: { leastSuccesses: 41 } }))).toEqual(["too_few"]);
  expect(kinds(audit({ ledger: [], sightings: [], rules: { leastSuccesses: 1 } }))).toEqual(["too_few"]);
});
