/**
 * A feed of steps on a test's database, which listens like the application's own.
 */
import { listenOn } from "cauce/run";
import { createStepFeed, type StepFeed } from "../../handlers/shared/door/step-feed.ts";
import { STEPS_CHANNEL } from "../../handlers/shared/storage/steps.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import type { Stage } from "./stage.ts";

export function feedOn(
  { url, repository }: Pick<Stage, "url" | "repository">,
  changes: { readonly most?: number; readonly recheckMs?: number; readonly deaf?: boolean } = {},
): StepFeed {
  const { most = 100, recheckMs, deaf = false } = changes;
  return createStepFeed({
    repository,
    listen: (heard) =>
      deaf
        ? { close: () => Promise.resolve() }
        : listenOn({ url, channel: STEPS_CHANNEL, clock: systemClock, heard: () => heard() }),
    clock: systemClock,
    log: silentLog,
    most,
    ...(recheckMs !== undefined && { recheckMs }),
  });
}
