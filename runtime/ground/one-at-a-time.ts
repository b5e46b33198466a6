/**
 * Work that must not overlap: each waits for the one before it, whatever became of that.
 */

/** @returns a function that runs what it is given, one at a time in the order of the calls, and resolves or rejects as that does. */
export function oneAtATime(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
