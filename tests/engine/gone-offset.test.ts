/** A partition whose next message retention has removed: it stands still, and the process says that it is not ready. */
import { expect, test } from "bun:test";
import { systemClock } from "../../runtime/ground/clock.ts";
import { openTelemetry } from "../../runtime/main/telemetry.ts";
import { eventually } from "../system/stage.ts";
import { verdictOf } from "../faults/case.ts";
import { input, MockStage } from "../faults/mock-stage.ts";

const MESSAGES = 40;
const TIMEOUT_MS = 60_000;

test(
  "/readyz names partitions that stand still because their offset is gone, and is not ready",
  async () => {
    await MockStage.with({}, async (stage) => {
      await stage.send(MESSAGES);
      const first = await stage.consume();
      await stage.outputs(MESSAGES);
      await first.stop(5_000);
      await stage.send(MESSAGES);
      stage.cluster.deleteRecords(input.name, 0, Math.ceil(stage.outputsOn(0) * 1.5));
      const second = await stage.consume();
      const telemetry = openTelemetry({
        bus: { connected: true } as never,
        store: { connected: true } as never,
        consumers: [second],
        expected: 1,
        clock: systemClock,
        started: {} as never,
      });
      await eventually("it is assigned", () => second.state.ready);
      await stage.said("bus: offset_out_of_range");
      expect(telemetry.door.ready()).toEqual({
        ready: false,
        parts: {
          kafka: "connected",
          postgres: "connected",
          consumers: "1 of 1 assigned",
          straight: "stands still, its offset is gone: in/0",
        },
      });
      await telemetry.stop();
      return verdictOf({ successes: 1, complaints: [] });
    });
  },
  TIMEOUT_MS,
);
