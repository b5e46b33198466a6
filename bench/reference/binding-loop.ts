/**
 * The binding's consume → produce: the same as loop.c, through `cauce/kafka`.
 *
 * In: a `HopWork`; variant `bytes` knows no headers, `headers` hands them on, `rebuilt` reads each and builds the list anew.
 * Out: the window.
 */
import { MeasuredWindow, readWork } from "../harness/window.ts";
import { openLoop, type Taken } from "./loop.ts";

const work = readWork();
const variants: Record<string, (record: Taken) => Taken["headers"]> = {
  bytes: () => [],
  headers: ({ headers }) => headers,
  rebuilt: ({ headers }) => headers.map(([name, value]) => [name, value] as const),
};
const headersOf = variants[work.variant];
if (!headersOf) throw new Error(`no variant ${work.variant}`);

const loop = await openLoop(work);
const window = new MeasuredWindow(work);
for (let all = false; !all;) {
  const taken = await loop.take();
  await loop.produce(
    taken.map((record) => ({
      topic: work.to,
      key: record.key,
      value: record.value,
      headers: headersOf(record),
    })),
  );
  all = window.saw(taken.length);
}
await loop.close();
process.stdout.write(`${window.line()}\n`);
process.exit(0);
