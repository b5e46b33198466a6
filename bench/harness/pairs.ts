/**
 * Interleaves: reference, ours, reference, ours, so that what disturbs the machine disturbs both.
 *
 * In: two measurements. Out: pairs in order. Never here: statistics.
 */

export async function interleave<Reference, Ours>(
  pairs: number,
  { reference, ours }: { reference: () => Promise<Reference>; ours: () => Promise<Ours> },
): Promise<{ readonly reference: Reference; readonly ours: Ours }[]> {
  const done: { reference: Reference; ours: Ours }[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const before = await reference();
    done.push({ reference: before, ours: await ours() });
  }
  return done;
}

/** Pairs that are measured together, one after the other. */
export async function repeat<Pair>(pairs: number, measure: () => Promise<Pair>): Promise<Pair[]> {
  const done: Pair[] = [];
  for (let pair = 0; pair < pairs; pair++) done.push(await measure());
  return done;
}
