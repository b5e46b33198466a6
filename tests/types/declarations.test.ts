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

for (const [file, least] of [
  ["declarations", 10],
  ["outbox", 8],
] as const) {
  test(`what must compile in ${file}.ts compiles, and each mistake is refused where it is written`, async () => {
    expect(await typeErrors(`tests/types/${file}.ts`)).toEqual({ code: 0, lines: [] });
  });

  test(`without the expectations every mistake in ${file}.ts is reported, at its own line`, async () => {
    const source = await Bun.file(join(import.meta.dir, `${file}.ts`)).text();
    const mistakes = source.match(/@ts-expect-error/g)?.length ?? 0;
    const bare = join(import.meta.dir, `${file}.bare.ts`);
    await Bun.write(bare, source.replaceAll("@ts-expect-error", "expected"));
    try {
      const { code, lines } = await typeErrors(`tests/types/${file}.bare.ts`);
      expect(code).not.toBe(0);
      expect(lines).toHaveLength(mistakes);
      expect(mistakes).toBeGreaterThan(least);
    } finally {
      await Bun.file(bare).delete();
    }
  });
}
