/** What operators see is not for everybody, and what they do is no route at all. */
import { expect, test } from "bun:test";
import { operatorGuard } from "../../runtime/ingress/operator-guard.ts";
import { isLoopback } from "../../runtime/ingress/loopback.ts";
import { givenDoor, recordingLog } from "../ingress/given-door.ts";

const TOKEN = "canary-operator-token-4711";
const metrics = () => "numbers 1\n";

test("with a token, the numbers are shown to who shows it and to nobody else, and each refusal leaves a line", async () => {
  const { log, lines } = recordingLog();
  const { get } = await givenDoor({ metrics, operatorToken: TOKEN, log });
  const shown = await get("/metrics", { headers: { authorization: `Bearer ${TOKEN}` } });
  expect([shown.status, shown.text]).toEqual([200, "numbers 1\n"]);
  for (const authorization of [
    undefined,
    "",
    TOKEN,
    `bearer ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Basic ${btoa(`operator:${TOKEN}`)}`,
  ]) {
    const answer = await get("/metrics", authorization === undefined ? {} : { headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain("numbers");
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
  }
  expect((await get(`/metrics?token=${TOKEN}`)).status).toBe(401);
  const audit = lines.filter(({ event }) => event === "an operators' route was refused");
  expect(audit[0]).toMatchObject({ level: "warn", fields: { route: "/metrics", why: "no token" } });
  expect(JSON.stringify(lines)).not.toContain(TOKEN);
});

test("a door that others reach shows no numbers without a token", () => {
  const { log, lines } = recordingLog();
  const guard = operatorGuard({ exposed: true, clock: { monotonicMs: () => 0 }, log });
  expect(guard(new Request("http://door/metrics"), "/metrics")?.status).toBe(403);
  expect(lines).toHaveLength(1);
});

test("a flood of refusals is one line a second, with their number", () => {
  const { log, lines } = recordingLog();
  let nowMs = 0;
  const guard = operatorGuard({ token: TOKEN, exposed: true, clock: { monotonicMs: () => nowMs }, log });
  for (let n = 0; n < 1_000; n++) guard(new Request("http://door/metrics"), "/metrics");
  nowMs = 1_000;
  guard(new Request("http://door/metrics"), "/metrics");
  expect(lines.map(({ fields }) => fields["more"])).toEqual([undefined, 999]);
});

test("with a listener of their own the door has no numbers", async () => {
  const { get } = await givenDoor({ metrics: null });
  expect((await get("/metrics")).status).toBe(404);
  expect((await get("/healthz")).status).toBe(200);
});

test.each(["POST", "GET", "DELETE"])(
  "there is no route that replays, pauses, resumes or edits: %s",
  async (method) => {
    const { get } = await givenDoor();
    const paths =
      "/redrive /replay /dlq /dead-letters /schedule /pause /resume /stop /sql /admin /debug /env /keys " +
      "/../metrics/..%2fkeys /.env /package.json /_bun /inspect";
    for (const path of paths.split(" "))
      expect([path, (await get(path, { method })).status]).toEqual([path, 404]);
  },
);

test.each([
  ["127.0.0.1", true],
  ["127.8.8.8", true],
  ["localhost", true],
  ["[::1]", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["", false],
  ["10.0.0.1", false],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
])("%p is reached by this machine alone: %p", (host, alone) => {
  expect(isLoopback(host)).toBe(alone);
});
