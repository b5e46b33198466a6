import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { given } from "cauce/testing";
import welcome from "../../docs/examples/handlers/signups.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("the handler in the README is the example's file, word for word", () => {
  const source = read("docs/examples/handlers/signups.ts");
  expect(read("README.md")).toContain(`\`\`\`ts\n${source}\`\`\``);
});

test("the README's handler does what the README says", async () => {
  const scenario = given(welcome).when({ id: "1", email: "ana@example.com" });
  await scenario.emits({
    mails: [{ to: "ana@example.com", text: "Welcome!" }, { text: "How was your first week?" }],
  });
  await scenario.emitsLater({ topic: "mails", after: "7d" });
  await given(welcome).when({ id: "2", email: "bo@full.example" }, { deferrals: 2 }).retries("4m");
});

test("the outbox's example is the file, word for word", () => {
  const source = read("docs/examples/outbox/place-order.ts");
  expect(read("docs/your-first-outbox.md")).toContain(`\`\`\`ts\n${source}\`\`\``);
});

test("the README stays under 150 lines", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(150);
});

test("links between documents lead somewhere", () => {
  const documents = ["README.md", "CONTRIBUTING.md", ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: root })];
  const broken = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map(([, target = ""]) => join(document, "..", target))
      .filter((target) => !new Bun.Glob(target).scanSync({ cwd: root, onlyFiles: false }).next().value)
      .map((target) => `${document} → ${target}`),
  );
  expect(broken).toEqual([]);
});
