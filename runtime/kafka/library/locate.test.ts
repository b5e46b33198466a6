import { expect, test } from "bun:test";
import { CauceError } from "../../ground/errors.ts";
import type { Platform } from "../../provision/platform.ts";
import { compareVersions, versionText, type Inspection } from "./candidate.ts";
import { searchPlaces } from "./locate.ts";
import type { LibraryPlace, LibrarySource, Offer } from "./place.ts";

const linux: Platform = { os: "linux", arch: "x64", libc: "glibc", debian: true, root: false };
const nothing: Offer = { reason: "nothing there" };

function place(source: LibrarySource, offer: Offer, asked: string[] = []): LibraryPlace {
  return {
    source,
    title: `the ${source}`,
    makes: source === "wheel" || source === "source",
    async offer() {
      asked.push(source);
      return offer;
    },
  };
}

/** Paths end in their version, "/x/2.16.0"; "/x/broken" does not open. */
function inspect(path: string): Inspection {
  const version = path.split("/").at(-1) ?? "";
  if (version === "broken") return { ok: false, reason: "invalid ELF header" };
  return compareVersions(version, "2.12.0") >= 0
    ? { ok: true, version }
    : { ok: false, reason: `it is ${version}, older than 2.12.0` };
}

function search(places: readonly LibraryPlace[], changes: Partial<Parameters<typeof searchPlaces>[0]> = {}) {
  return searchPlaces({
    setting: undefined,
    places,
    production: false,
    platform: linux,
    inspect,
    ...changes,
  });
}

async function failureOf(found: Promise<unknown>): Promise<CauceError> {
  const failure = await found.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(failure instanceof CauceError)) throw new Error("expected a CauceError");
  return failure;
}

test("takes the first place that has a usable library, and asks no later one", async () => {
  const asked: string[] = [];
  const found = await search([
    place("addon", nothing, asked),
    place("cache", { paths: ["/cache/2.16.0"] }, asked),
    place("wheel", { paths: ["/wheel/2.16.0"] }, asked),
  ]);
  expect(found).toMatchObject({ path: "/cache/2.16.0", version: "2.16.0", source: "cache" });
  expect(asked).toEqual(["addon", "cache"]);
  expect(found.tried.map(({ source, reason }) => [source, reason])).toEqual([
    ["setting", "not set"],
    ["addon", "nothing there"],
  ]);
});

test("refuses a system library older than 2.12 with the reason, and goes on", async () => {
  const found = await search([
    place("system", { paths: ["/usr/lib/2.0.2"] }),
    place("wheel", { paths: ["/wheel/2.16.0"] }),
  ]);
  expect(found.source).toBe("wheel");
  expect(found.tried.at(-1)?.reason).toBe("/usr/lib/2.0.2: it is 2.0.2, older than 2.12.0");
});

test("CAUCE_LIBRDKAFKA comes before everything, and is never replaced in silence", async () => {
  const others = [place("cache", { paths: ["/cache/2.16.0"] })];
  expect(await search(others, { setting: "/mine/2.13.0" })).toMatchObject({
    path: "/mine/2.13.0",
    source: "setting",
  });
  const failure = await failureOf(search(others, { setting: "/mine/broken" }));
  expect(failure.code).toBe("library_unusable");
  expect(failure.message).toContain("CAUCE_LIBRDKAFKA names /mine/broken");
  expect(failure.message).toContain("invalid ELF header");
});

test("in production nothing is fetched or built, and the error says so", async () => {
  const asked: string[] = [];
  const places = [
    place("cache", nothing, asked),
    place("wheel", { paths: ["/wheel/2.16.0"] }, asked),
    place("source", { paths: ["/built/2.15.1"] }, asked),
  ];
  const failure = await failureOf(search(places, { production: true }));
  expect(asked).toEqual(["cache"]);
  expect(failure.message).toContain("with NODE_ENV=production nothing is fetched or built");
});

test("when nothing works the error lists what was tried, why each failed, and one command that helps", async () => {
  const places = [
    place("addon", { reason: "none was built" }),
    place("system", { paths: ["/usr/lib/2.0.2"] }),
    place("wheel", { reason: "no pip", help: "sudo apt-get install -y python3-pip" }),
    place("source", { reason: "no gcc", help: "sudo apt-get install -y gcc" }),
  ];
  const { code, message } = await failureOf(search(places));
  expect(code).toBe("library_unusable");
  expect(message.split("\n")).toEqual([
    "No librdkafka 2.12.0 or newer was found on this machine. Tried:",
    "  - CAUCE_LIBRDKAFKA: not set",
    "  - the addon: none was built",
    "  - the system: /usr/lib/2.0.2: it is 2.0.2, older than 2.12.0",
    "  - the wheel: no pip",
    "  - the source: no gcc",
    "What helps: sudo apt-get install -y python3-pip",
  ]);
});

test("a place that throws is one more place that has nothing", async () => {
  const broken: LibraryPlace = {
    ...place("cache", nothing),
    offer: () => Promise.reject(new Error("EACCES: permission denied")),
  };
  const found = await search([broken, place("wheel", { paths: ["/wheel/2.16.0"] })]);
  expect(found.tried.at(-1)).toMatchObject({ source: "cache", reason: "EACCES: permission denied" });
});

test("platforms other than Linux with glibc on x64 get a clear statement", async () => {
  const musl = await failureOf(search([], { platform: { ...linux, libc: "musl" } }));
  expect(musl.message).toContain("This is linux x64 (musl); Cauce is tested on Linux x64 with glibc only.");
  expect(musl.message).toContain("use an image with glibc");
  const mac = await failureOf(
    search([], { platform: { ...linux, os: "darwin", arch: "arm64", libc: "other" } }),
  );
  expect(mac.message).toContain("This is darwin arm64");
  expect(mac.message).toContain("What helps: brew install librdkafka");
});

test("reads librdkafka's version number, and compares by number rather than by letter", () => {
  expect(versionText(0x021000ff)).toBe("2.16.0");
  expect(versionText(0x020002ff)).toBe("2.0.2");
  expect(compareVersions("2.9.0", "2.12.0")).toBeLessThan(0);
  expect(compareVersions("2.12.0", "2.12.0")).toBe(0);
  expect(compareVersions("3.0.0", "2.99.9")).toBeGreaterThan(0);
});
