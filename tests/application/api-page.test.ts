/** The page for people, run on a document that is just large enough: every route, answer and example of the description is on it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { serveDoor } from "./serve-door.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
let door: Awaited<ReturnType<typeof serveDoor>>;
beforeAll(async () => {
  stage = await openStage("apipage");
  door = await serveDoor(stage);
});
afterAll(async () => {
  await door.close();
  await stage.close();
});

/** As much of an element as the page uses. */
class Node {
  readonly children: (Node | string)[] = [];
  readonly dataset: Record<string, string> = {};
  hidden = false;
  className = "";
  value = "";
  onclick: (() => Promise<void>) | null = null;
  #text: string | null = null;
  constructor(readonly name: string) {}
  append(...added: (Node | string)[]): void {
    this.children.push(...added);
  }
  setAttribute(): void {}
  set textContent(text: string) {
    this.#text = text;
  }
  get textContent(): string {
    return (
      this.#text ??
      this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join(" ")
    );
  }
  all(name: string): Node[] {
    const nodes = this.children.filter((child) => child instanceof Node);
    return nodes.flatMap((node) => [...(node.name === name ? [node] : []), ...node.all(name)]);
  }
}

async function openPage() {
  const html = await (await fetch(`${door.url}/openapi`)).text();
  const script = /<script>([^]*?)<\/script>/.exec(html)?.[1] ?? "";
  const byId = new Map([...html.matchAll(/id="(\w+)"/g)].map(([, id = ""]) => [id, new Node("div")]));
  const body = new Node("body");
  const document = {
    body,
    title: "",
    createElement: (name: string) => new Node(name),
    getElementById: (id: string) => byId.get(id),
    querySelector: () => null,
  };
  const asked: string[] = [];
  const shown = Promise.withResolvers<void>();
  body.dataset["shown"] = "no";
  const fetched = async (path: string, init?: RequestInit) => {
    asked.push(path);
    const response = await fetch(new URL(path, door.url), init);
    setTimeout(shown.resolve, 0);
    return response;
  };
  // oxlint-disable-next-line typescript/no-implied-eval -- the page's own script, as a browser would run it.
  (new Function("document", "fetch", script) as (...given: unknown[]) => void)(document, fetched);
  await shown.promise;
  await new Promise(setImmediate);
  return { document, operations: byId.get("operations") ?? body, asked };
}

test("shows every operation with its answers and examples, and asks for nothing but the description", async () => {
  const { document, operations, asked } = await openPage();
  expect(document.body.dataset["shown"]).toBe("yes");
  expect(asked).toEqual(["/openapi/json"]);
  const described = (await (await fetch(`${door.url}/openapi/json`)).json()) as {
    paths: Record<
      string,
      Record<string, { summary: string; responses: Record<string, { description: string }> }>
    >;
  };
  const text = operations.textContent;
  for (const [path, methods] of Object.entries(described.paths))
    for (const { summary, responses } of Object.values(methods)) {
      expect(text).toContain(path);
      expect(text).toContain(summary);
      for (const status of Object.keys(responses)) expect(text).toContain(status);
    }
  expect(text).toContain("Where a question is");
  expect(text).toContain('"hit": true');
});

test("sends what is in its form and shows what comes back", async () => {
  const { operations } = await openPage();
  const [send] = operations.all("button");
  const [form] = operations.all("textarea");
  expect(JSON.parse(form?.value ?? "")).toMatchObject({ title: "What is the capital of France?" });
  await send?.onclick?.();
  expect(operations.textContent).toContain("202 Accepted");
});
