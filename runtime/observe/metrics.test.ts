import { describe, expect, test } from "bun:test";
import { createRegistry, type RegistryOptions } from "./metrics.ts";
import { metricsFor } from "./vocabulary.ts";

/** Deadlines fire when the test says so. */
function handClock() {
  const calls = new Set<() => void>();
  return {
    fire: () => {
      for (const call of calls) call();
    },
    pending: () => calls.size,
    after(_delayMs: number, call: () => void) {
      calls.add(call);
      return () => calls.delete(call);
    },
  };
}

function given(options: Partial<RegistryOptions> = {}) {
  const clock = handClock();
  return { clock, registry: createRegistry({ clock, ...options }) };
}

describe("the text of a scrape", () => {
  test("names type and help of each metric and its samples, in the order of declaration", async () => {
    const { registry } = given();
    const requests = registry.counter({
      name: "requests_total",
      help: "Requests.",
      labels: ["route", "status"],
    });
    const up = registry.gauge({ name: "up", help: "Up?", labels: [] });
    requests.add({ route: "/a", status: "200" });
    requests.add({ status: "200", route: "/a" }, 2);
    up.set({}, 1);
    const text = await registry.text();
    expect(text).toContain(
      '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{route="/a",status="200"} 3\n' +
        "# HELP up Up?\n# TYPE up gauge\nup 1\n",
    );
    expect(text).toEndWith("\n");
  });

  test("escapes backslashes, quotes and line breaks", async () => {
    const { registry } = given();
    registry.counter({ name: "c", help: 'a\\b\n"c"', labels: ["l"] }).add({ l: 'a\\b\n"c"\uD800' });
    const text = await registry.text();
    expect(text).toContain('# HELP c a\\\\b\\n"c"\n');
    expect(text).toContain('c{l="a\\\\b\\n\\"c\\"\uFFFD"} 1\n');
  });

  test("writes special numbers as Prometheus reads them", async () => {
    const { registry } = given();
    const gauge = registry.gauge({ name: "g", help: "", labels: ["l"] });
    for (const value of [Infinity, -Infinity, NaN, 1e21, 0.1]) gauge.set({ l: String(value) }, value);
    const text = await registry.text();
    for (const line of ['{l="Infinity"} +Inf', '{l="-Infinity"} -Inf', '{l="NaN"} NaN', " 1e+21", " 0.1"]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  test("has a histogram with rising buckets, sum and count", async () => {
    const { registry } = given();
    const histogram = registry.histogram({ name: "h", help: "", labels: ["l"], buckets: [1, 5] });
    for (const value of [0.5, 1, 3, 100, NaN]) histogram.observe({ l: "x" }, value);
    expect(await registry.text()).toContain(
      'h_bucket{l="x",le="1"} 2\nh_bucket{l="x",le="5"} 3\nh_bucket{l="x",le="+Inf"} 4\nh_sum{l="x"} 104.5\nh_count{l="x"} 4\n',
    );
  });

  test("every line is a comment or a sample", async () => {
    const { registry } = given();
    const metrics = metricsFor(registry);
    metrics.settledBy("a")("done", 1_500);
    metrics.lateness(20);
    metrics.httpRequest({ route: "/q/:id", method: "GET", status: 200, durationMs: 3 });
    metrics.lag.readFrom(() => [{ labels: { handler: "a", topic: "t", partition: "0" }, value: 7 }]);
    metrics.readSchedule(() => Promise.resolve([{ topic: "t", waiting: 3, due: 1, oldestDueMs: 1_500 }]));
    metrics.readConnections({ bus: () => true, store: () => false });
    const text = await registry.text();
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) \S+ .*|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? \S+)$/);
    }
    expect(text).toContain('cauce_handler_duration_seconds_sum{handler="a"} 1.5\n');
    expect(text).toContain('cauce_consumer_lag{handler="a",topic="t",partition="0"} 7\n');
    expect(text).toContain('cauce_schedule_oldest_due_seconds{topic="t"} 1.5\n');
    expect(text).toContain("cauce_bus_connected 1\n");
    expect(text).toContain("cauce_store_connected 0\n");
  });
});

describe("series", () => {
  test("beyond the bound are added up under one, so that counts stay right and memory bounded", async () => {
    const { registry } = given({ mostSeries: 10 });
    const counter = registry.counter({ name: "c", help: "", labels: ["l"] });
    for (let index = 0; index < 1_000; index++) counter.add({ l: `v${index}` });
    counter.add({ l: "v3" });
    const samples = (await registry.text()).split("\n").filter((line) => line.startsWith("c{"));
    expect(samples).toHaveLength(11);
    expect(samples).toContain('c{l="other"} 990');
    expect(samples).toContain('c{l="v3"} 2');
  });

  test("are told apart by values that would read the same when joined", async () => {
    const { registry } = given();
    const counter = registry.counter({ name: "c", help: "", labels: ["a", "b"] });
    counter.add({ a: "x,", b: "y" });
    counter.add({ a: "x", b: ",y" });
    expect((await registry.text()).split("\n").filter((line) => line.startsWith("c{"))).toHaveLength(2);
  });

  test("of counters only grow", async () => {
    const { registry } = given();
    const counter = registry.counter({ name: "c", help: "", labels: [] });
    counter.add({}, 2);
    for (const amount of [-1, NaN, Infinity]) counter.add({}, amount);
    expect(await registry.text()).toContain("c 2\n");
  });
});

describe("a reader", () => {
  test("that fails loses its samples alone, and the failure is counted", async () => {
    const { registry } = given();
    const gauge = registry.gauge({ name: "g", help: "", labels: ["l"] });
    gauge.set({ l: "set" }, 1);
    gauge.readFrom(() => [{ labels: { l: "read" }, value: 2 }]);
    gauge.readFrom(() => {
      throw new Error("away");
    });
    gauge.readFrom(() => Promise.reject(new Error("away")));
    await registry.text();
    const text = await registry.text();
    expect(text).toContain('g{l="set"} 1\ng{l="read"} 2\n');
    expect(text).toMatch(/cauce_scrape_failures_total [2-4]\n/);
  });

  test("that hangs does not hold the scrape beyond its deadline", async () => {
    const { registry, clock } = given();
    registry.gauge({ name: "g", help: "", labels: [] }).readFrom(() => new Promise(() => {}));
    const text = registry.text();
    clock.fire();
    expect(await text).toContain("# TYPE g gauge\n");
    expect(clock.pending()).toBe(0);
  });

  test("that is taken away is asked no more", async () => {
    const { registry } = given();
    const remove = registry
      .gauge({ name: "g", help: "", labels: [] })
      .readFrom(() => [{ labels: {}, value: 5 }]);
    remove();
    expect(await registry.text()).not.toContain("g 5");
  });

  test("of the schedule is asked once a scrape for all of its metrics", async () => {
    const { registry } = given();
    let asked = 0;
    metricsFor(registry).readSchedule(() => {
      asked++;
      return Promise.resolve([]);
    });
    await registry.text();
    expect(asked).toBe(1);
    await registry.text();
    expect(asked).toBe(2);
  });
});

test("a name that is malformed or declared twice is a defect", () => {
  const { registry } = given();
  registry.counter({ name: "c", help: "", labels: [] });
  expect(() => registry.gauge({ name: "c", help: "", labels: [] })).toThrow("twice");
  expect(() => registry.gauge({ name: "a-b", help: "", labels: [] })).toThrow("a-b");
  expect(() => registry.gauge({ name: "b", help: "", labels: ["x y"] })).toThrow("x y");
});
