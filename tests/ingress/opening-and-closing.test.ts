/**
 * The door's own life: ports, hosts, the end.
 */
import { describe, expect, test } from "bun:test";
import { systemClock } from "../../runtime/ground/clock.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { PortTaken } from "../../runtime/ingress/port.ts";
import { routes } from "../../runtime/ingress/routes.ts";
import { startIngress } from "../../runtime/ingress/start.ts";
import { givenDoor } from "./given-door.ts";

const bare = {
  log: silentLog,
  clock: systemClock,
  metrics: () => "",
  ready: () => ({ ready: true, parts: {} }),
};

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
}

describe("opening", () => {
  test("listens on loopback alone unless told otherwise", async () => {
    const { door } = await givenDoor();
    expect(new URL(door.url).hostname).toBe("127.0.0.1");
    const port = new URL(door.url).port;
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    // Any other address of this machine: 127.0.0.2 is one of them, and a door on 0.0.0.0 would answer there.
    expect(await refusal(fetch(`http://127.0.0.2:${port}/healthz`))).toBeInstanceOf(Error);
  });

  test("a port that another Cauce serves is told from one that a stranger has", async () => {
    const { door } = await givenDoor();
    const byCauce = await refusal(startIngress({ ...bare, port: Number(new URL(door.url).port) }));
    expect(byCauce).toBeInstanceOf(PortTaken);
    expect(byCauce).toMatchObject({ code: "unavailable", byCauce: true });

    const stranger = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json({ service: "other", alive: true }),
    });
    const port = stranger.port ?? 0;
    const byStranger = await refusal(startIngress({ ...bare, port }));
    await stranger.stop(true);
    expect(byStranger).toMatchObject({ code: "unavailable", byCauce: false, port });
    expect((byStranger as Error).message).toContain(String(port));
  });

  test("limits that cannot work are refused, all of them at once", async () => {
    const thrown = await refusal(
      startIngress({ ...bare, port: 0, limits: { bodyBytes: 0, idleMs: 1, stopMs: NaN } }),
    );
    expect(thrown).toBeInstanceOf(CauceError);
    for (const name of ["bodyBytes", "idleMs", "stopMs"]) expect((thrown as Error).message).toContain(name);
  });
});

describe("closing", () => {
  test("finishes the requests in flight, then takes no more", async () => {
    const release = Promise.withResolvers<string>();
    const arrived = Promise.withResolvers<void>();
    const { door } = await givenDoor({
      routes: routes((app) =>
        app.get("/slow", () => {
          arrived.resolve();
          return release.promise;
        }),
      ),
    });
    const slow = fetch(`${door.url}/slow`).then((response) => response.text());
    await arrived.promise;
    const stopped = door.stop();
    release.resolve("finished");
    expect(await slow).toBe("finished");
    await stopped;
    expect(await refusal(fetch(`${door.url}/healthz`))).toBeInstanceOf(Error);
  });

  test("cuts off at the deadline what does not end", async () => {
    const arrived = Promise.withResolvers<void>();
    const { door } = await givenDoor({
      limits: { stopMs: 20 },
      routes: routes((app) =>
        app.get("/never", () => {
          arrived.resolve();
          return new Promise<string>(() => {});
        }),
      ),
    });
    const never = refusal(fetch(`${door.url}/never`));
    await arrived.promise;
    await door.stop();
    expect(await never).toBeInstanceOf(Error);
  });

  test("ends event streams in good order, without waiting for the deadline", async () => {
    let cancelled = false;
    const { door } = await givenDoor({
      limits: { stopMs: 600_000 },
      routes: routes((app) =>
        app.get("/events", () => {
          const stream = new ReadableStream<string>({
            start: (controller) => controller.enqueue("data: first\n\n"),
            cancel() {
              cancelled = true;
            },
          });
          return new Response(stream.pipeThrough(new TextEncoderStream()), {
            headers: { "content-type": "text/event-stream" },
          });
        }),
      ),
    });
    const response = await fetch(`${door.url}/events`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe("data: first\n\n");
    await door.stop();
    expect((await reader?.read())?.done).toBe(true);
    expect(cancelled).toBe(true);
  });

  test("may be asked twice", async () => {
    const { door } = await givenDoor();
    await Promise.all([door.stop(), door.stop()]);
    await door.stop();
  });
});
