/**
 * The health check of our containers: `bun deploy/check-health.ts [/readyz]`, exit code 0 or 1.
 *
 * In: a path, PORT. Out: does that path answer 200 within the deadline? A process whose event loop is stuck still has its
 * port open (the kernel accepts), so an answer is waited for, and not for long. It imports nothing: it runs every few seconds.
 */

/** Below the 3 s after which the engine itself gives the check up: then the reason is in its log. */
const DEADLINE_MS = 2_500;

/** @returns null when all is well, else why not. */
export async function findAilment(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
    return answer.ok ? null : `${answer.status}: ${(await answer.text()).slice(0, 500)}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

if (import.meta.main) {
  const [path = "/healthz"] = process.argv.slice(2);
  const url = `http://127.0.0.1:${process.env["PORT"] ?? "8000"}${path}`;
  const ailment = await findAilment(url);
  if (ailment !== null) {
    process.stderr.write(`${url}: ${ailment}\n`);
    process.exitCode = 1;
  }
}
