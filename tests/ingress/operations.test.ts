/**
 * What operators ask: alive, ready, numbers, the API's description, the trace of a request.
 */
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { systemClock } from "../../runtime/ground/clock.ts";
import { Problem } from "../../runtime/ingress/problem.ts";
import { routes } from "../../runtime/ingress/routes.ts";
import { traceOf } from "../../runtime/ingress/trace-of.ts";
import { createRegistry } from "../../runtime/observe/metrics.ts";
import { metricsFor } from "../../runtime/observe/vocabulary.ts";
import { givenDoor } from "./given-door.ts";

describe("/healthz", () => {
  test("answers 200 while the loop turns", async () => {
    const { get } = await givenDoor();
    const answer = await get("/healthz");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ service: "cauce", alive: true });
  });

  test("answers 503 when the heart has not beaten for too long", async () => {
    const { get } = await givenDoor({ heartbeat: { ageMs: () => 5_000 }, limits: { staleMs: 4_000 } });
    const answer = await get("/healthz");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ alive: false, heartbeat_age_ms: 5_000 });
  });

  test("answers HEAD", async () => {
    const { get } = await givenDoor();
    const answer = await get("/healthz", { method: "HEAD" });
    expect([answer.status, answer.text]).toEqual([200, ""]);
  });
});

describe("/readyz", () => {
  test("follows what the parts say, in both directions", async () => {
    const state = { ready: false, parts: { bus: "connecting", store: "connected" } };
    const { get } = await givenDoor({ ready: () => state });
    const before = await get("/readyz");
    expect([before.status, JSON.parse(before.text)]).toEqual([503, state]);
    state.ready = true;
    expect((await get("/readyz")).status).toBe(200);
  });

  test("is 503 when nobody can tell", async () => {
    const { get } = await givenDoor({
      ready: () => {
        throw new Error("no idea");
      },
    });
    expect((await get("/readyz")).status).toBe(503);
  });
});

describe("/metrics", () => {
  test("shows the requests of this very door in Prometheus's text", async () => {
    const registry = createRegistry({ clock: systemClock });
    const metrics = metricsFor(registry);
    const { get } = await givenDoor({ metrics: () => registry.text(), answered: metrics.httpRequest });
    await get("/nowhere");
    const answer = await get("/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.text).toContain(
      'cauce_http_requests_total{route="unmatched",method="GET",status="404"} 1\n',
    );
    expect(answer.text).toContain('cauce_http_request_duration_seconds_count{route="unmatched"} 1\n');
  });

  test("that fail are a plain 500", async () => {
    const { get } = await givenDoor({ metrics: () => Promise.reject(new Error("canary")) });
    const answer = await get("/metrics");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("canary");
  });
});

interface Document {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<
      string,
      {
        requestBody?: { content: Record<string, unknown> };
        responses: Record<string, { content?: Record<string, { schema: unknown }> }>;
      }
    >
  >;
  readonly components: { readonly schemas: Record<string, unknown> };
}

describe("/openapi/json", () => {
  test("describes every route with its request and its refusals, as version 3", async () => {
    const { get } = await givenDoor();
    const document = JSON.parse((await get("/openapi/json")).text) as Document;
    expect(document.openapi).toMatch(/^3\.\d+\.\d+$/);
    expect(Object.keys(document.paths).toSorted()).toEqual(["/ask", "/healthz", "/metrics", "/readyz"]);
    const ask = document.paths["/ask"]?.["post"];
    expect(ask?.requestBody?.content).toEqual({
      "application/json": {
        schema: expect.objectContaining({
          type: "object",
          required: ["title"],
          properties: expect.objectContaining({ title: { type: "string", minLength: 1 } }),
        }),
      },
    });
    for (const status of ["400", "413", "415", "422", "503"]) {
      expect(ask?.responses[status]?.content?.["application/problem+json"]?.schema).toEqual({
        $ref: "#/components/schemas/Problem",
      });
    }
    expect(document.components.schemas["Problem"]).toMatchObject({
      type: "object",
      required: ["type", "title", "status"],
    });
  });

  test("keeps what a route says of its own answers", async () => {
    const { get } = await givenDoor({
      routes: routes((app) =>
        app.get("/thing/:id", () => ({ n: 1 }), {
          response: { 200: v.object({ n: v.number() }), 404: Problem },
          detail: { summary: "A thing", responses: { 422: { description: "mine" } } },
        }),
      ),
    });
    const document = JSON.parse((await get("/openapi/json")).text) as Document;
    const operation = document.paths["/thing/{id}"]?.["get"];
    expect(operation).toMatchObject({ summary: "A thing" });
    expect(operation?.responses["200"]?.content?.["application/json"]?.schema).toMatchObject({
      type: "object",
    });
    expect(operation?.responses["404"]).toBeDefined();
  });

  test("has an example for each answer that has a body", async () => {
    const { get } = await givenDoor();
    const document = JSON.parse((await get("/openapi/json")).text) as Document;
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, { responses }] of Object.entries(methods))
        for (const [status, { content = {} }] of Object.entries(responses))
          for (const [type, media] of Object.entries(content))
            expect([path, method, status, type, type === "text/plain" || "example" in media || status === "200"]).toEqual([path, method, status, type, true]); // prettier-ignore
  });
});

describe("/openapi", () => {
  test("is a page that loads nothing from elsewhere and runs nothing but its own text", async () => {
    const { get } = await givenDoor();
    const answer = await get("/openapi");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.text).not.toMatch(/\b(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]/i);
    expect(answer.text).not.toMatch(/<(?:link|img|iframe)\b|<script [^>]*src|innerHTML|@import|url\(/i);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    for (const element of ["script", "style"]) {
      const text = new RegExp(`<${element}>([^]*?)</${element}>`).exec(answer.text)?.[1] ?? "";
      const hash = new Bun.CryptoHasher("sha256").update(text).digest("base64");
      expect(policy).toContain(`${element}-src 'sha256-${hash}'`);
    }
  });
});

describe("the trace of a request", () => {
  const tracing = routes((app) => app.get("/trace", ({ request }) => traceOf(request)));
  const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  test("continues the caller's", async () => {
    const { get } = await givenDoor({ routes: tracing });
    const { text } = await get("/trace", { headers: { traceparent: CALLER } });
    expect(text).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(text).not.toBe(CALLER);
  });

  test.each(["garbage", `${CALLER}, ${CALLER}`, "00-00000000000000000000000000000000-b7ad6b7169203331-01"])(
    "begins anew when the header is none: %s",
    async (traceparent) => {
      const { get } = await givenDoor({ routes: tracing });
      const { text } = await get("/trace", { headers: { traceparent } });
      expect(text).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(text).not.toContain("0af7651916cd43dd8448eb211c80319c");
    },
  );
});
