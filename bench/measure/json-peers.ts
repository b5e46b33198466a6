/**
 * The JSON hop (parse, validate, n + 1, write; no headers) beside the clients that one would take instead.
 *
 * In: a stage. Out: the better peer's CPU time over ours, round by round: for the binding alone, which is like for like, and for
 * the whole runtime, which also makes envelopes, keeps order by key and watches deadlines; with the peers on Bun, the host that
 * ours runs on, and on Node. Which peer is better on a host is found by a first run that does not count.
 */
import { join } from "node:path";
import { bunHop, type Hop, type HopResult, measureHop } from "../harness/hop.ts";
import type { Measurement } from "../harness/measurement.ts";
import type { Filled, Stage } from "../harness/stage.ts";
import type { Pair } from "../harness/verdict.ts";
import { installPeers } from "../peers/install.ts";
import { runtimeHop } from "./json-hop.ts";

const MESSAGES = { 256: 2_000_000, 4096: 400_000 } as const;
const QUICK_SHARE = 0.1;
/** With so many the better peer is found. */
const TRIAL_MESSAGES = 100_000;
const HOSTS = ["Bun", "Node"] as const;
const OURS = ["binding", "runtime"] as const;

const row = "the JSON hop vs the better of the two peers";
const bench = join(import.meta.dir, "..");

export const jsonPeers: readonly Measurement[] = [measureBeside(256, ""), measureBeside(4096, "-4k")];

function measureBeside(bytes: 256 | 4096, suffix: string): Measurement {
  const limits = { row, unit: "ratio", better: "higher", must: 2, aim: 4 } as const;
  const benchmarks = OURS.flatMap((ours) =>
    HOSTS.map((host) => ({
      ...limits,
      name: `${ours === "binding" ? "json-peers" : "runtime-peers"}${host === "Node" ? "-node" : ""}${suffix}`,
      reference: `CPU per message of the better of kafkajs and @platformatic/kafka on ${host} over the ${ours}'s, ${bytes} B`,
      ours,
      host,
    })),
  );
  return {
    benchmarks,
    measure: async (stage) => {
      const messages = Math.round(MESSAGES[bytes] * (stage.quick ? QUICK_SHARE : 1));
      const peers = await choosePeers(stage, bytes);
      const { hop, close } = await runtimeHop(stage, "key");
      // Without headers an input has no id of its own from which the outputs' could be known.
      const { ids: _ids, ...runtime } = hop;
      const input = await stage.fillTopic({ messages, bytes, headers: 0 });
      const hops = new Map<string, Hop>([...peers, ["binding", BINDING], ["runtime", runtime]]);
      const rounds: Round[] = [];
      for (let round = 0; round < stage.pairs; round++) rounds.push(await measureRound(stage, input, hops));
      close();
      await stage.dropTopics(input.topic);
      return new Map(
        benchmarks
          .filter(({ host }) => peers.has(host))
          .map(({ name, ours, host }) => [name, rounds.map((round) => pairOf(round, host, ours))]),
      );
    },
  };
}

type Round = ReadonlyMap<string, HopResult>;

async function measureRound(stage: Stage, input: Filled, hops: ReadonlyMap<string, Hop>): Promise<Round> {
  const round = new Map<string, HopResult>();
  for (const [name, hop] of hops) round.set(name, await measureHop(stage, input, hop));
  return round;
}

function pairOf(round: Round, peer: string, ours: string): Pair {
  const [theirs, own] = [round.get(peer), round.get(ours)];
  return {
    value: (theirs?.cpuUsPerMessage ?? NaN) / (own?.cpuUsPerMessage ?? NaN),
    faults: (theirs?.faults ?? 0) + (own?.faults ?? 0),
  };
}

const BINDING: Hop = {
  title: "binding",
  start: bunHop(join(bench, "reference", "bare-loop.ts")),
  added: 1,
  variant: "plain",
};

/** The better peer on each host. */
async function choosePeers(stage: Stage, bytes: number): Promise<ReadonlyMap<string, Hop>> {
  const input = await stage.fillTopic({ messages: TRIAL_MESSAGES, bytes, headers: 0 });
  const chosen = new Map<string, Hop>();
  for (const { name, program } of await installPeers(stage.say)) {
    const tried = [];
    for (const peer of ["kafkajs", "platformatic"]) {
      const hop: Hop = {
        title: `${peer} on ${name}`,
        start: (work) => ({ command: [program, join(bench, "peers", `${peer}.ts`), JSON.stringify(work)] }),
        added: 1,
      };
      tried.push({ hop, ...(await measureHop(stage, input, hop)) });
    }
    const [best] = tried.toSorted((a, b) => a.cpuUsPerMessage - b.cpuUsPerMessage);
    if (best) chosen.set(name, best.hop);
  }
  await stage.dropTopics(input.topic);
  return chosen;
}
