/**
 * A broker that tells its clients the address of a proxy where they come by the proxy.
 *
 * In: how the proxy is made. Out: both, and the two addresses. Never here: what the proxy does.
 */
import { type OwnKafkaBroker, startKafka } from "../services/kafka.ts";
import { freePort } from "../services/port.ts";

export interface BehindProxy<Proxy> {
  readonly broker: OwnKafkaBroker;
  readonly proxy: Proxy;
  /** `host:port` without the proxy, and by it. */
  readonly direct: string;
  readonly proxied: string;
  stop(): Promise<void>;
}

export async function startBehind<Proxy extends { close(): Promise<void> }>(
  listen: (ports: { port: number; target: number }) => Promise<Proxy>,
): Promise<BehindProxy<Proxy>> {
  const [direct, behind, controller, front] = [freePort(), freePort(), freePort(), freePort()];
  const at = (port: number) => `127.0.0.1:${port}`;
  const proxy = await listen({ port: front, target: behind });
  const broker = await startKafka({
    settings: {
      listeners: `PLAINTEXT://${at(direct)},PROXIED://${at(behind)},CONTROLLER://${at(controller)}`,
      "advertised.listeners": `PLAINTEXT://${at(direct)},PROXIED://${at(front)}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "controller.quorum.voters": `1@${at(controller)}`,
    },
  });
  return {
    broker,
    proxy,
    direct: at(direct),
    proxied: at(front),
    async stop() {
      await proxy.close();
      await broker.stop();
    },
  };
}
