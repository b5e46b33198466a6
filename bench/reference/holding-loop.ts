/**
 * As hold.c through the binding: takes so many records and keeps them.
 *
 * In: a `HopWork`. Out: `ready`, then `holding`. Runs until it is killed.
 */
import { readWork } from "../harness/window.ts";
import { openLoop, type Taken } from "./loop.ts";

const work = readWork();
const say = (line: string) => void process.stdout.write(`${line}\n`);
const loop = await openLoop(work, () => say("ready"));
const kept: Taken[] = [];
while (kept.length < work.messages) kept.push(...(await loop.take()));
say("holding");
setInterval(() => {
  if (kept.length < work.messages) throw new Error("what was kept is gone");
}, 60_000);
