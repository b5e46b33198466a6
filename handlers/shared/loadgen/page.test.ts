import { describe, expect, test } from "bun:test";
import { Ledger } from "./ledger.ts";
import { pageOf } from "./page.ts";
import { picturesOf } from "./pictures.ts";
import { resultOf } from "./result.ts";

/** A run of 300 asks in 30 s, half of them hits, with a ramp of two steps. */
function reportOf() {
  const ledger = new Ledger(1_000_000);
  const asks = Array.from({ length: 300 }, (_, index) => ({
    question: index % 150,
    intendedMs: index * 100,
  }));
  for (const { question, intendedMs } of asks) {
    const atMs = 1_000_000 + intendedMs;
    ledger.asked++;
    if (intendedMs >= 15_000) ledger.noteHit(`q${question}`, atMs, atMs + 5);
    else {
      ledger.noteQueued(`q${question}`, atMs);
      ledger.noteEnded(`q${question}`, { state: "done", seenMs: atMs + 200 + question });
    }
  }
  ledger.noteRefused("400: <script>alert(1)</script>");
  const sample = {
    asked: 300,
    hits: 150,
    answered: 150,
    failed: 0,
    resent: 3,
    waits: 2,
    open: 7,
    sending: 1,
  };
  return ledger.report({
    asks,
    steps: [10, 10].map((ratePerSecond) => ({ ratePerSecond, forMs: 15_000 })),
    samples: [0, 1_000].map((atMs) => ({ ...sample, atMs, depth: { lag: 4, scheduled: 2 } })),
    tookMs: 31_000,
  });
}

const result = resultOf({
  startedMs: Date.UTC(2024, 1, 29),
  url: "http://user:secret@127.0.0.1:8000/x",
  options: { files: "a&b.json", zipf: "0.99" },
  questions: 150,
  report: reportOf(),
});

describe("the page of a run", () => {
  const page = pageOf(result);

  test("is one file: it names no other, runs nothing, and says nothing secret", () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|src=|href=/i);
    expect(page).not.toContain("secret");
    expect(page.replaceAll("http://www.w3.org/2000/svg", "").match(/https?:\/\/\S+/g) ?? []).toEqual(
      page.match(/http:\/\/127\.0\.0\.1:8000\S*/g) ?? [],
    );
  });

  test("shows every text as text", () => {
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("a&amp;b.json");
  });

  test("has every plot, with words and numbers for those who do not see it", () => {
    const names = ["latency", "percentiles", "hits", "depth", "retries", "knee"];
    expect(picturesOf(result.report).map(({ name }) => name)).toEqual(names);
    for (const name of names) expect(page).toContain(`<figure id="${name}"><svg`);
    const svgs = page.match(/<svg [^>]*>.*?<\/svg>/gs) ?? [];
    expect(svgs).toHaveLength(names.length);
    for (const svg of svgs) expect(svg).toMatch(/role="img".*<title id.*<desc id/s);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("follows light and dark, and is well-formed", () => {
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page).toContain('<meta name="color-scheme" content="light dark">');
    const open: string[] = [];
    for (const [whole, end, name = ""] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?>/g)) {
      if (name === "meta" || whole.endsWith("/>")) continue;
      if (end === "") open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test("has numbers of the run in its tables", () => {
    expect(page).toContain("<dd>50.0 %</dd>");
    expect(page).not.toContain("NaN");
    expect(page).not.toContain("Infinity");
    expect(page).not.toContain("undefined");
  });
});

test("the result is plain JSON that names its format", () => {
  const read = JSON.parse(JSON.stringify(result)) as typeof result;
  expect(read.format).toBe("cauce-load-1");
  expect(read.url).toBe("http://127.0.0.1:8000");
  expect(read.report.distribution.all.length).toBeGreaterThan(5);
});

test("a run without a single answer still has its page", () => {
  const empty = new Ledger().report({ asks: [], tookMs: 10 });
  expect(pageOf({ ...result, report: empty })).toContain("nothing was measured");
});

test("asks that join a generation on its way are told from hits and from new ones", () => {
  const ledger = new Ledger();
  for (let index = 0; index < 4; index++) ledger.asked++;
  ledger.noteQueued("a", 0);
  ledger.noteQueued("a", 1);
  ledger.noteEnded("a", { state: "done", seenMs: 10 });
  ledger.noteHit("a", 20, 21);
  ledger.noteQueued("b", 30);
  expect(ledger.report({ asks: [], tookMs: 0 })).toMatchObject({
    hits: 1,
    joined: 1,
    withoutGeneration: 0.5,
  });
});

test("a wait for a retry counts once, however often it is seen", () => {
  const ledger = new Ledger();
  ledger.noteQueued("a", 0);
  ledger.noteWaiting("a", "2024-01-01T00:00:01Z");
  ledger.noteWaiting("a", "2024-01-01T00:00:01Z");
  ledger.noteWaiting("a", "2024-01-01T00:00:09Z");
  expect(ledger.report({ asks: [], tookMs: 0 }).waits).toBe(2);
});
