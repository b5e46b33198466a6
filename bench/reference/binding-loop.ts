/**
 * The binding's consume → produce: the same as loop.c, through `cauce/kafka`.
 *
 * In: a `HopWork`; variant `forwarded` lets records go on unread, `rebuilt` reads key, value and each header and builds a record
 * anew. Out: the window.
 */
import { MeasuredWindow, readWork } from "../harness/window.ts";
import { openLoop, type Produced, type Taken } from "./loop.ts";

const work = readWork();
const variants: Record<string, (record: Taken) => Produced> = {
  forwarded: (record) => record.forward(work.to),
  rebuilt: ({ key, value, headers }) => ({
    topic: work.to,
    key,
    value,
    headers: headers.map(([name, bytes]) => [name, bytes] as const),
  }),
};
const outputOf = variants[work.variant];
if (!outputOf) throw new Error(`no variant ${work.variant}`);

const loop = await openLoop(work);
const window = new MeasuredWindow(work);
for (let all = false; !all;) {
  const taken = await loop.take();
  await loop.produce(taken.map(outputOf));
  all = window.saw(taken.length);
}
await loop.close();
process.stdout.write(`${window.line()}\n`);
process.exit(0);
