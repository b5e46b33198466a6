/**
 * Handlers whose outputs are there exactly once, in every form that a handler may have, and where something runs full or goes away: on
 * a real Apache Kafka, as a reader of committed records sees it.
 */
import { expect, test } from "bun:test";
import { LIMITS } from "../../runtime/engine/limits.ts";
import { armFailpoints } from "../../runtime/ground/failpoint.ts";
import { handler } from "../../runtime/index.ts";
import { startBehind } from "../faults/behind-proxy.ts";
import { TcpProxy } from "../faults/proxy.ts";
import { onceStage } from "./once-stage.ts";
import { until } from "./stage.ts";

const TIMEOUT_MS = 120_000;
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const sorted = (some: readonly number[]) => some.toSorted((a, b) => a - b);

test(
  "a handler of batches: outputs of all messages once, of a failed one nothing, whoever is given up in between",
  async () => {
    let runs = 0;
    const halfway = Promise.withResolvers<void>();
    const stage = await onceStage({
      messages: 1_000,
      handler: ({ from, passed }) =>
        handler({
          name: "bulk",
          on: from,
          out: { passed },
          guarantee: "exactly-once",
          batch: { max: 50, within: "20ms" },
          retry: [[TypeError, { attempts: 3, delay: "constant", base: "1h" }]],
          handle: (messages, { out, fail }) => {
            runs += messages.length;
            if (runs > 500) halfway.resolve();
            return messages.map(({ value }) =>
              value.n === 77 ? fail(new TypeError("not now")) : out.passed(value),
            );
          },
        }),
    });
    await halfway.promise;
    await stage.restart();
    await stage.until(() => stage.settled.length >= 1_000);
    expect(sorted(await stage.outputs())).toEqual(upTo(1_000).filter((n) => n !== 77));
    await stage.close();
    expect(stage.settled.filter(({ kind }) => kind === "retry").length).toBe(1);
  },
  TIMEOUT_MS,
);

test(
  "while the breaker is open nothing is committed for what fails; once it works, all that was kept is there once",
  async () => {
    const concurrency = 64;
    let broken = true;
    let running = 0;
    const together = Promise.withResolvers<void>();
    const stage = await onceStage({
      messages: 300,
      handler: ({ from, passed }) =>
        handler({
          name: "deploy",
          on: from,
          out: { passed },
          guarantee: "exactly-once",
          concurrency,
          order: { by: "none" },
          retry: [[TypeError, { attempts: 3, delay: "constant", base: "1h" }]],
          async handle({ value }, { out }) {
            if (++running === concurrency) together.resolve();
            await together.promise;
            if (broken) throw new TypeError("undefined is not a function");
            return out.passed(value);
          },
        }),
    });
    await until(() => stage.consumer.state.broken);
    expect(await stage.outputs()).toEqual([]);
    broken = false;
    await stage.store.resume("deploy");
    await stage.until(() => stage.settled.length === 300);
    const outputs = await stage.outputs();
    const retried = stage.settled.filter(({ kind }) => kind === "retry").length;
    // Those that opened it; what ran beside them is kept.
    expect(retried).toBeLessThanOrEqual(LIMITS.breaker.least);
    expect(outputs.length).toBe(300 - retried);
    expect(new Set(outputs).size).toBe(outputs.length);
    await stage.close();
  },
  TIMEOUT_MS,
);

test(
  "an output that waits is a row, and its message's other outputs are in the transaction, each once",
  async () => {
    const stage = await onceStage({
      messages: 100,
      handler: ({ from, passed }) =>
        handler({
          name: "both",
          on: from,
          out: { passed },
          guarantee: "exactly-once",
          handle: ({ value }, { out }) => [
            out.passed(value),
            out.passed({ n: value.n + 1_000 }, { after: "1h" }),
          ],
        }),
    });
    await stage.restart();
    await stage.until(() => stage.settled.length >= 100);
    await stage.restart();
    expect(sorted(await stage.outputs())).toEqual(upTo(100));
    expect(stage.store.waiting.length).toBe(100);
    await stage.close();
  },
  TIMEOUT_MS,
);

test(
  "more is finished above a slow message than the text beside its commit can say: what is not named is not committed, and made once by the next owner",
  async () => {
    const messages = 36_000;
    let open = false;
    let finished = 0;
    const never = new Promise<void>(() => undefined);
    const stage = await onceStage({
      messages,
      handler: ({ from, passed }) =>
        handler({
          name: "gaps",
          on: from,
          out: { passed },
          guarantee: "exactly-once",
          order: { by: "none" },
          concurrency: 10_000,
          async handle({ value }, { out }) {
            if (value.n % 4 === 0 && !open) await never;
            finished++;
            return out.passed(value);
          },
        }),
    });
    // The text has room for about 24,000 offsets.
    await until(() => finished === (messages * 3) / 4 && stage.settled.length > 15_000);
    // Until the text is full transactions go on being committed, also while the outputs are read.
    let named = await stage.outputs();
    while (named.length !== stage.settled.length) named = await stage.outputs();
    expect(named.length).toBeLessThan(20_000);
    open = true;
    await stage.restart();
    await stage.until(() => stage.settled.length === messages);
    expect(sorted(await stage.outputs())).toEqual(upTo(messages));
    await stage.close();
  },
  TIMEOUT_MS,
);

test(
  "a handler that is given up while its broker is away waits for no transaction; the next one makes each output once",
  async () => {
    const behind = await startBehind((ports) => TcpProxy.listen(ports));
    const away = Promise.withResolvers<void>();
    const end = armFailpoints((point) => {
      if (point !== "transaction.published") return;
      behind.proxy.change({ held: "both" });
      away.resolve();
    });
    const stage = await onceStage({
      messages: 500,
      brokers: behind.direct,
      workerBrokers: behind.proxied,
      handler: ({ from, passed }) =>
        handler({
          name: "left",
          on: from,
          out: { passed },
          guarantee: "exactly-once",
          handle: ({ value }, { out }) => out.passed(value),
        }),
    });
    await away.promise;
    end();
    const startedMs = performance.now();
    await stage.consumer.stop(0);
    // Leaving the group takes 5 s where no broker answers.
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    behind.proxy.change({});
    await stage.restart();
    await stage.until(() => stage.settled.length === 500);
    expect(sorted(await stage.outputs())).toEqual(upTo(500));
    await stage.close();
    await behind.stop();
  },
  TIMEOUT_MS,
);
