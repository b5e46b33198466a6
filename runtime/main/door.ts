/**
 * Opens the HTTP door, or says why there is none: another Cauce may have the port, and that is fine.
 *
 * In: settings, what the application serves, what this process knows of itself. Out: a door. Never here: routes.
 */
import type { Started } from "../application/application.ts";
import type { RuntimeSettings } from "../config/runtime-settings.ts";
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import type { Heartbeat } from "../observe/heartbeat.ts";
import type { IngressLimits } from "../ingress/limits.ts";
import { isLoopback } from "../ingress/loopback.ts";
import { PortTaken } from "../ingress/port.ts";
import { startIngress, type Answered, type Ingress, type Readiness } from "../ingress/start.ts";

export interface DoorOptions {
  readonly settings: RuntimeSettings;
  readonly started: Started<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  readonly ready: () => Readiness;
  readonly metrics: () => Promise<string>;
  readonly answered: (answered: Answered) => void;
  readonly heartbeat: Heartbeat;
}

/**
 * What machines ask of a process without ingress, on HEALTH_PORT; null where that is not set.
 * @throws PortTaken when anyone has the port: a probe would ask the wrong process.
 */
export async function openHealth({
  settings,
  log,
  metrics,
  ready,
  clock,
  answered,
  heartbeat,
}: Omit<DoorOptions, "started">): Promise<Ingress | null> {
  if (settings.healthPort === 0) return null;
  const { healthPort: port, host: hostname, operatorToken } = settings;
  const exposed = isExposed(settings);
  return await startIngress({ port, hostname, exposed, operatorToken, log, metrics, ready, clock, answered, heartbeat }); // prettier-ignore
}

/** Null when another Cauce serves this port already. @throws PortTaken when someone else does. */
export async function openDoor(options: DoorOptions): Promise<Ingress | null> {
  const { settings, started, log } = options;
  const { log: _, settings: __, started: ___, ...both } = options;
  const apart = settings.operationsPort !== undefined;
  try {
    const door = await startIngress({
      ...both,
      log,
      port: settings.port,
      hostname: settings.host,
      ...(started.routes && { routes: started.routes }),
      metrics: apart ? null : options.metrics,
      operatorToken: settings.operatorToken,
      exposed: isExposed(settings),
      limits: capsOf(settings),
    });
    if (!apart) return door;
    // The numbers have a listener of their own, which this machine alone reaches.
    const operations = await startIngress({
      ...both,
      log,
      port: settings.operationsPort ?? 0,
      operatorToken: settings.operatorToken,
    }).catch(async (error: unknown) => {
      await door.stop();
      throw error;
    });
    return {
      url: door.url,
      stop: async () => void (await Promise.all([door.stop(), operations.stop()])),
    };
  } catch (error) {
    if (!(error instanceof PortTaken) || !error.byCauce) throw error;
    log.info("another Cauce has the door; this process works without one", { port: settings.port });
    return null;
  }
}

/** Others reach the door, and nothing but itself guards it. */
export function isExposed({ host, doorGuard }: RuntimeSettings): boolean {
  return doorGuard === "own" && !isLoopback(host);
}

/** A door that others reach counts connections, unless told otherwise; one on loopback does when told to. */
function capsOf({
  host,
  doorConnections,
  doorConnectionsPerAddress,
}: RuntimeSettings): Pick<IngressLimits, "connections" | "connectionsPerAddress"> {
  const exposed = !isLoopback(host);
  return {
    connections: doorConnections ?? (exposed ? EXPOSED_CONNECTIONS : 0),
    connectionsPerAddress: doorConnectionsPerAddress ?? (exposed ? EXPOSED_CONNECTIONS_PER_ADDRESS : 0),
  };
}

const EXPOSED_CONNECTIONS = 10_000;
const EXPOSED_CONNECTIONS_PER_ADDRESS = 256;
