/**
 * Runs one process under test: waits until it looks at the table, then fills.
 */
import { join } from "node:path";
import { runChild } from "../harness/child.ts";
import type { Stage } from "../harness/stage.ts";
import type { DoorResult, DoorWork } from "./door.ts";

/** `fill` is called once it is ready. */
export async function runDoor(
  { brokers, library }: Pick<Stage, "brokers" | "library">,
  work: Omit<DoorWork, "brokers" | "library">,
  fill: () => Promise<unknown>,
): Promise<DoorResult> {
  let filling: Promise<unknown> = Promise.resolve();
  const given: DoorWork = { ...work, brokers, library };
  const result = await runChild<DoorResult>({
    command: [process.execPath, join(import.meta.dir, "door.ts"), JSON.stringify(given)],
    onLine(line) {
      if (line === "ready") filling = fill();
    },
  });
  await filling;
  return result;
}
