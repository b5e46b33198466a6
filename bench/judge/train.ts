/**
 * `bun bench/judge/train.ts FILE`: the weights of the offline judge, from one half of the questions only.
 *
 * In: an EVOUNA file (rows with human labels). Out: the weights for `handlers/shared/judge/weights.ts`, on standard
 * output. Never here: the other half (see command.ts).
 */
import { readFile } from "node:fs/promises";
import { labelledAnswers } from "./labelled.ts";
import { sampleOf, weightsFrom } from "./training.ts";

const path = process.argv[2];
if (path === undefined) throw new Error("usage: bun bench/judge/train.ts FILE");
const rows = JSON.parse(await readFile(path, "utf8")) as readonly unknown[];
const tuning = labelledAnswers(rows).filter(({ half }) => half === "tuning");
process.stdout.write(`${JSON.stringify(weightsFrom(tuning.map(sampleOf)), undefined, 1)}\n`);
