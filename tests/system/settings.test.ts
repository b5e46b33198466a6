/** Settings that cannot be used: said at once, all together, and nothing is started. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { clearStage, newStateDir, startCauce, type Settings } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

afterEach(clearStage);

/** Its exit code and what it said. */
async function refusal(settings: Settings): Promise<{ code: number; said: string; started: boolean }> {
  const stateDir = newStateDir();
  const cauce = startCauce({ stateDir, settings });
  const code = await cauce.exited;
  const started = existsSync(join(stateDir, "keeper")) || existsSync(join(stateDir, "postgres"));
  return { code, said: cauce.output(), started };
}

describe("settings that cannot be used", () => {
  test("are all listed at once, with what was expected and what came", async () => {
    const { code, said, started } = await refusal({
      PORT: "eighty",
      MAX_ATTEMPTS: "0",
      REGEN_THRESHOLD: "11",
      LOOKUP: "cache",
      KAFKA_SECURITY_PROTOCOL: "tls",
      DATABASE_URL: "mysql://someone:hunter22@127.0.0.1/x",
      OFFLINE_LATENCY_MS: "-1",
    });
    expect({ code, started }).toEqual({ code: 1, started: false });
    for (const name of [
      "PORT",
      "MAX_ATTEMPTS",
      "REGEN_THRESHOLD",
      "LOOKUP",
      "KAFKA_SECURITY_PROTOCOL",
      "DATABASE_URL",
    ])
      expect(said).toContain(name);
    expect(said).toContain("OFFLINE_LATENCY_MS");
    expect(said).toContain("eighty");
    expect(said).not.toContain("hunter22");
  });

  test("a name in RUN that is no part is named, with the parts that there are", async () => {
    const { code, said, started } = await refusal({ RUN: "llm.requests,llm.request,sheduler" });
    expect({ code, started }).toEqual({ code: 1, started: false });
    expect(said).toContain("llm.request, sheduler");
    for (const name of ["ingress", "scheduler", "llm.requests", "llm.failed"]) expect(said).toContain(name);
  });

  test("production without Kafka, database or model is an error that names them, and nothing is fetched or started", async () => {
    const bare = await refusal({ NODE_ENV: "production" });
    expect(bare).toMatchObject({ code: 1, started: false });
    expect(bare.said).toContain("KAFKA_BROKERS");
    expect(bare.said).toContain("DATABASE_URL");
    const noDatabase = await refusal({ NODE_ENV: "production", KAFKA_BROKERS: "127.0.0.1:1" });
    expect(noDatabase).toMatchObject({ code: 1, started: false });
    expect(noDatabase.said).toContain("DATABASE_URL");
  });

  test("half of what Kafka needs is an error that names the other half and no password, and nothing is started", async () => {
    const noBrokers = await refusal({ KAFKA_USERNAME: "someone", KAFKA_PASSWORD: "hunter22" });
    expect(noBrokers).toMatchObject({ code: 1, started: false });
    expect(noBrokers.said).toContain("KAFKA_BROKERS");
    const noMechanism = await refusal({
      KAFKA_BROKERS: "127.0.0.1:1",
      KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
      KAFKA_PASSWORD: "hunter22",
    });
    expect(noMechanism).toMatchObject({ code: 1, started: false });
    expect(noMechanism.said).toContain("set KAFKA_SASL_MECHANISM and KAFKA_USERNAME too");
    expect(noBrokers.said + noMechanism.said).not.toContain("hunter22");
  });

  test("a port that somebody else holds is named, and the process ends", async () => {
    const stranger = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
    const { code, said } = await refusal({ PORT: String(stranger.port) });
    await stranger.stop(true);
    expect(code).toBe(1);
    expect(said).toContain(String(stranger.port));
  });

  test("a script for the offline model that cannot be read is refused before anything is up", async () => {
    const { code, said } = await refusal({ OFFLINE_SCRIPT: "[{]" });
    expect(code).toBe(1);
    expect(said).toContain("OFFLINE_SCRIPT is not JSON");
  });
});
