import { afterEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { questionId } from "../questions/identity.ts";
import { loadgenCommand } from "./command.ts";
import { Ledger } from "./ledger.ts";
import { runLoad } from "./loadgen.ts";
import type { LoadResult } from "./result.ts";
import { planAsks, type PlanOptions } from "./plan.ts";
import { exitCodeOf, tableOf } from "./table.ts";

const questions = Array.from({ length: 40 }, (_, index) => ({
  title: `Question ${index}?`,
  content: "",
  best_answer: `${index}`,
}));

const even = (ratePerSecond: number) => ({ kind: "even", ratePerSecond }) as const;

interface Fake {
  readonly url: string;
  readonly posts: string[];
  readonly sent: number[];
}
type Twist = (title: string, times: number) => Response | "lost" | "failed" | undefined;

const servers: Bun.Server<undefined>[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop(true))));

/** A door that answers each question at its second look; `twist` bends the replies to POST. */
function fakeDoor(twist: Twist = () => undefined): Fake {
  const looks = new Map<string, number>();
  const fate = new Map<string, "lost" | "failed" | "done">();
  const fake = { posts: [] as string[], sent: [] as number[] };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/query": {
        POST: async (request) => {
          const { title, content } = (await request.json()) as { title: string; content: string };
          fake.posts.push(title);
          fake.sent.push(performance.now());
          const bent = twist(title, fake.posts.filter((posted) => posted === title).length);
          if (bent instanceof Response) return bent;
          const id = questionId({ title, content });
          fate.set(id, bent ?? "done");
          return Response.json({ queued: true, id }, { status: 202 });
        },
      },
      "/query/:id": (request) => {
        const { id } = request.params;
        const seen = (looks.get(id) ?? 0) + 1;
        looks.set(id, seen);
        const end = fate.get(id);
        if (seen < 2 || end === "lost") return Response.json({ id, state: "generating" });
        return Response.json({
          id,
          state: end,
          ...(end === "failed" ? { reason: "timeout" } : { answer: "a" }),
        });
      },
    },
    fetch: ({ url }) =>
      url.endsWith("/metrics") ? new Response(METRICS) : new Response(null, { status: 404 }),
  });
  servers.push(server);
  return { url: `http://127.0.0.1:${server.port}`, ...fake };
}

const METRICS = [
  "# TYPE cauce_consumer_lag gauge",
  'cauce_consumer_lag{handler="a",topic="t",partition="0"} 3',
  'cauce_consumer_lag{handler="a",topic="t",partition="1"} 4',
  'cauce_consumer_lag{handler="a",topic="t",partition="2"} -1',
  'cauce_schedule_waiting{topic="t"} 5',
  'cauce_schedule_due{topic="t"} 1',
  "cauce_other 100",
].join("\n");

const busy = () => new Response(null, { status: 503, headers: { "retry-after": "60" } });
const problem = () => Response.json({ title: "Bad Request", detail: "title: too long" }, { status: 400 });

const collect = () => {
  const out = { text: "", errors: "" };
  return {
    out,
    write: (text: string) => void (out.text += text),
    writeError: (text: string) => void (out.errors += text),
  };
};

describe("the plan", () => {
  test("is even in time, repeats only what was asked before, about as often as told, and the same for one seed", () => {
    const options: PlanOptions = {
      questions: 5_000,
      count: 2_000,
      arrivals: { kind: "even", ratePerSecond: 50 },
      popularity: { kind: "repeats", share: 0.2 },
      seed: 3,
    };
    const asks = planAsks(options);
    expect(asks[1_000]?.intendedMs).toBe(20_000);
    const seen = new Set<number>();
    let repeats = 0;
    for (const { question } of asks) {
      if (seen.has(question)) repeats++;
      else expect(question).toBe(seen.size);
      seen.add(question);
    }
    expect(repeats / asks.length).toBeWithin(0.16, 0.24);
    expect(planAsks(options)).toEqual([...asks]);
  });

  test("repeats when the questions run out", () => {
    const asks = planAsks({
      questions: 3,
      count: 10,
      arrivals: even(1),
      popularity: { kind: "repeats", share: 0 },
      seed: 1,
    });
    expect(new Set(asks.map(({ question }) => question)).size).toBe(3);
  });
});

describe("the load generator", () => {
  test("asks everything, follows every question to its end and accounts for it", async () => {
    const fake = fakeDoor((title) => (title === "Question 3?" ? "failed" : undefined));
    const lines: string[] = [];
    const report = await runLoad({
      questions,
      baseUrl: fake.url,
      arrivals: even(400),
      count: 60,
      popularity: { kind: "repeats", share: 0.3 },
      progressEveryMs: 50,
      onProgress: (line) => lines.push(line),
    });
    expect(report.asked).toBe(60);
    expect(report.queued + report.hits).toBe(60);
    expect(report.answered + report.failed).toBe(report.distinct);
    expect(report.failed).toBe(1);
    expect(report.reasons).toHaveProperty(["failed, timeout"]);
    expect(report.unaccounted).toEqual([]);
    expect(report.latencyMs?.p99).toBeGreaterThanOrEqual(report.latencyMs?.p50 ?? Infinity);
    expect(lines.at(-1)).toMatch(
      /asked \d+\/60 +queued \d+ +hits \d+ +answered \d+ +failed \d+ +waiting \d+/,
    );
    expect(exitCodeOf(report)).toBe(0);
  });

  test("never sends before the intended time, and does not wait for answers", async () => {
    const fake = fakeDoor();
    const startedAt = performance.now();
    await runLoad({ questions, baseUrl: fake.url, arrivals: even(200), count: 20 });
    for (const [index, sentAt] of fake.sent.toSorted((left, right) => left - right).entries()) {
      expect(sentAt - startedAt).toBeGreaterThanOrEqual(index * 5 - 2);
    }
  });

  test("a repeat of an answered question is a hit", async () => {
    const one = questions.slice(0, 1);
    const id = questionId({ title: "Question 0?", content: "" });
    const fake = fakeDoor((_, times) =>
      times > 1 ? Response.json({ hit: true, id, answer: "a" }) : undefined,
    );
    const report = await runLoad({ questions: one, baseUrl: fake.url, arrivals: even(100), count: 3 });
    expect(report).toMatchObject({ asked: 3, distinct: 1, queued: 1, hits: 2, answered: 1, unaccounted: [] });
  });

  test("waits as long as a busy door says, sends again and counts it", async () => {
    const fake = fakeDoor((_, times) =>
      times === 1 ? new Response(null, { status: 503, headers: { "retry-after": "0.05" } }) : undefined,
    );
    const report = await runLoad({ questions, baseUrl: fake.url, arrivals: even(400), count: 10 });
    expect(report).toMatchObject({ asked: 10, queued: 10, resent: 10, answered: 10, unaccounted: [] });
    expect(fake.posts).toHaveLength(20);
  });

  test("names a question that never ends, and exits with 1", async () => {
    const fake = fakeDoor((title) => (title === "Question 2?" ? "lost" : undefined));
    const report = await runLoad({
      questions,
      baseUrl: fake.url,
      arrivals: even(400),
      count: 5,
      stallMs: 700,
    });
    const id = questionId({ title: "Question 2?", content: "" });
    expect(report.unaccounted).toEqual([`not ended: ${id}`]);
    expect(report.answered).toBe(4);
    expect(exitCodeOf(report)).toBe(1);
    expect(tableOf(report)).toContain(`UNACCOUNTED not ended: ${id}`);
  });

  test("names a question that was never acknowledged, and exits with 1", async () => {
    const fake = fakeDoor((title) => (title === "Question 1?" ? busy() : undefined));
    const report = await runLoad({
      questions,
      baseUrl: fake.url,
      arrivals: even(400),
      count: 3,
      stallMs: 1_000,
    });
    expect(report.unaccounted).toEqual(["never acknowledged (503): Question 1?"]);
    expect(exitCodeOf(report)).toBe(1);
  });

  test("a refused question is counted with its reason, and exits with 1", async () => {
    const fake = fakeDoor((title) => (title === "Question 0?" ? problem() : undefined));
    const report = await runLoad({ questions, baseUrl: fake.url, arrivals: even(400), count: 3 });
    expect(report.refused).toBe(1);
    expect(report.reasons).toEqual({ "refused, 400: title: too long": 1 });
    expect(exitCodeOf(report)).toBe(1);
  });

  test("takes samples of what waits, the door's own figures among them", async () => {
    const fake = fakeDoor();
    const options = { questions, baseUrl: fake.url, arrivals: even(400), count: 20, progressEveryMs: 20 };
    const { samples } = await runLoad({ ...options, depths: true });
    expect(samples.length).toBeGreaterThan(3);
    expect(samples[0]?.depth).toEqual({ lag: 7, scheduled: 6 });
    expect(Math.max(...samples.map(({ open }) => open))).toBeGreaterThan(0);
    expect(samples.at(-1)).toMatchObject({ asked: 20, open: 0, sending: 0, answered: 20 });
    const silent = await runLoad({ ...options, baseUrl: fake.url, depths: false });
    expect(silent.samples[0]?.depth).toBeUndefined();
  });

  test("tells each step of a ramp", async () => {
    const fake = fakeDoor();
    const steps = [50, 100].map((ratePerSecond) => ({ ratePerSecond, forMs: 200 }));
    const arrivals = { kind: "ramp", spacing: "even", steps } as const;
    const report = await runLoad({ questions, baseUrl: fake.url, arrivals, count: 1_000 });
    expect(report.steps.map(({ asked, answered }) => [asked, answered])).toEqual([
      [10, 10],
      [20, 20],
    ]);
    expect(report.kneePerSecond).toBeDefined();
  });

  test("stops when told, and says what it left open", async () => {
    const fake = fakeDoor(() => "lost");
    const stop = new AbortController();
    const report = await runLoad({
      questions,
      baseUrl: fake.url,
      arrivals: even(400),
      count: 5,
      signal: stop.signal,
      progressEveryMs: 20,
      onProgress: (line) => {
        if (line.includes("queued 5")) stop.abort();
      },
    });
    expect(report.unaccounted).toHaveLength(5);
  });
});

test.each([
  [1_400, 400],
  [900, 1_000],
  [9_000, 1_000],
])("an answer stored at %p, asked at 1000 and seen at 2000, took %p ms", (storedMs, tookMs) => {
  const ledger = new Ledger();
  ledger.noteQueued("a", 1_000);
  ledger.noteEnded("a", { state: "done", seenMs: 2_000, storedMs });
  expect(ledger.report({ asks: [], tookMs: 0 }).latencyMs).toEqual({ p50: tookMs, p95: tookMs, p99: tookMs });
});

describe("the command", () => {
  test("reads the file, prints progress and the table, and returns 0 when all is accounted for", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cauce-loadgen-"));
    try {
      const path = join(folder, "questions.jsonl");
      await Bun.write(path, questions.map((question) => JSON.stringify(question)).join("\n"));
      const fake = fakeDoor();
      const output = collect();
      const code = await loadgenCommand([path, "--rate", "200", "--count", "20", "--url", fake.url], output);
      expect(code).toBe(0);
      expect(output.out.text).toContain("40 questions from 1 file(s)");
      for (const row of ["asked", "queued", "hits", "answered", "failed", "p50", "p95", "p99"]) {
        expect(output.out.text).toMatch(new RegExp(`^  ${row} `, "m"));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("plays a trace faster, and leaves the result as JSON and as a page", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cauce-loadgen-"));
    try {
      const [path, trace, json, html] = ["q.json", "t.csv", "r.json", "r.html"].map((name) =>
        join(folder, name),
      ) as [string, string, string, string];
      await Bun.write(path, JSON.stringify(questions));
      const at = (second: number) => `2023-11-16 18:15:4${second}.5000000,100,20`;
      await Bun.write(trace, ["TIMESTAMP,ContextTokens,GeneratedTokens", at(6), at(7), at(9)].join("\n"));
      const fake = fakeDoor();
      const output = collect();
      const args = [
        path,
        "--trace",
        trace,
        "--speed",
        "20",
        "--count",
        "3",
        "--zipf",
        "1",
        "--note",
        "quiet",
        "--url",
        fake.url,
      ];
      const startedAt = performance.now();
      expect(await loadgenCommand([...args, "--json", json, "--html", html], output)).toBe(0);
      // Recorded 1 and 3 s after the first; 20 times as fast, and never early.
      for (const [index, afterMs] of [0, 50, 150].entries()) {
        expect((fake.sent[index] ?? 0) - startedAt).toBeGreaterThanOrEqual(afterMs - 2);
      }
      const result = (await Bun.file(json).json()) as LoadResult;
      expect(result).toMatchObject({ format: "cauce-load-1", report: { asked: 3 } });
      expect(result.options).toEqual({
        files: "q.json",
        trace: "t.csv",
        speed: "20",
        count: "3",
        zipf: "1",
        seed: "1",
        stall: "300",
        note: "quiet",
      });
      expect(await Bun.file(html).text()).toStartWith("<!doctype html>");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    [["x.json", "--ramp", "50:400"], "--ramp 50:400"],
    [["x.json", "--ramp", "400:50:50"], "--ramp 400:50:50"],
    [["x.json", "--ramp", "1:2:1", "--trace", "t.csv"], "--trace and --ramp"],
    [["x.json", "--arrivals", "bursts"], "--arrivals bursts"],
    [["x.json", "--zipf", "-1"], "--zipf"],
    [["x.json", "--speed", "0"], "--speed 0"],
    [[], "needs a file"],
    [["x.json", "--rate", "fast"], "--rate fast"],
    [["x.json", "--repeat", "2"], "--repeat 2"],
    [["x.json", "--count", "1.5"], "--count 1.5"],
    [["x.json", "--url", "ftp://x"], "--url ftp://x"],
    [["x.json", "--wat"], "--wat"],
    [["/absent.json"], "/absent.json"],
  ])("%p is refused with what was expected", async (argv, message) => {
    const output = collect();
    expect(await loadgenCommand(argv, output)).toBe(2);
    expect(output.out.errors).toContain(message);
    expect(output.out.errors).toContain("usage:");
  });
});
