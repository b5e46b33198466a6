/**
 * A door and a codec in a process of their own, for what could end a process. Prints the door's address; `eat` lines on its input
 * are files whose bytes the codec reads. Ends well when its input ends.
 */
import * as v from "valibot";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { json } from "../../runtime/handler/codec.ts";
import { routes } from "../../runtime/ingress/routes.ts";
import { startIngress } from "../../runtime/ingress/start.ts";

const door = await startIngress({
  port: 0,
  log: silentLog,
  clock: systemClock,
  metrics: () => "",
  ready: () => ({ ready: true, parts: {} }),
  routes: routes((app) =>
    app.post("/ask", ({ body }) => ({ asked: body.title.length }), { body: v.object({ title: v.string() }) }),
  ),
});
process.stdout.write(`${door.url}\n`);
for await (const line of console) {
  try {
    json.decode(await Bun.file(line).bytes());
    process.stdout.write("read\n");
  } catch (thrown) {
    const code =
      typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "thrown";
    process.stdout.write(`${code}\n`);
  }
}
await door.stop();
