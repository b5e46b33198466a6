import { expect, test } from "bun:test";
import { dirname, join } from "node:path";

const root = dirname(dirname(import.meta.dir));

async function typeErrors(file: string): Promise<{ code: number; lines: string[] }> {
  const check = Bun.spawn([process.execPath, "check", "--no-script", "--no-pretty", "--all", file], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  const text = await new Response(check.stdout).text();
  return { code: await check.exited, lines: text.split("\n").filter((line) => line.includes(file)) };
}

test("what must compile compiles, and each mistake in a declaration is refused where it is written", async () => {
  expect(await typeErrors("tests/types/declarations.ts")).toEqual({ code: 0, lines: [] });
});

test("without the expectations every mistake is reported, at its own line", async () => {
  const source = await Bun.file(join(import.meta.dir, "declarations.ts")).text();
  const mistakes = source.match(/@ts-expect-error/g)?.length ?? 0;
  const bare = join(import.meta.dir, "declarations.bare.ts");
  await Bun.write(bare, source.replaceAll("@ts-expect-error", "expected"));
  try {
    const { code, lines } = await typeErrors("tests/types/declarations.bare.ts");
    expect(code).not.toBe(0);
    expect(lines).toHaveLength(mistakes);
    expect(mistakes).toBeGreaterThan(10);
  } finally {
    await Bun.file(bare).delete();
  }
});
