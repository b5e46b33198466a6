/** A test file that leaves a process behind must not pass unnoticed. */
import { expect, test } from "bun:test";
import { endLeftovers, MARK_VARIABLE } from "./leftovers.ts";

/** As a test file would leave it: detached, its parent gone. */
async function leaveBehind(mark: string, seconds: string): Promise<void> {
  const env = { ...process.env, [MARK_VARIABLE]: mark };
  const command = ["sh", "-c", `sleep ${seconds} >/dev/null 2>&1 &`];
  await Bun.spawn(command, { env, detached: true }).exited;
}

test("a process left behind is found, named and ended", async () => {
  const mark = crypto.randomUUID();
  await leaveBehind(mark, "614");
  expect((await endLeftovers(mark)).map(({ command }) => command)).toEqual(["sleep 614"]);
  expect(await endLeftovers(mark)).toEqual([]);
});

test("a process that ends within the grace is no leftover, and other marks are left alone", async () => {
  const [mine, other] = [crypto.randomUUID(), crypto.randomUUID()];
  await leaveBehind(mine, "0.2");
  await leaveBehind(other, "615");
  expect(await endLeftovers(mine)).toEqual([]);
  expect(await endLeftovers(other)).toHaveLength(1);
});
