/** What a promise was rejected with. A promise that resolves instead fails the test. */
export async function rejectionOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it should have been rejected, and was not");
}
