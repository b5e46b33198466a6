/**
 * Starts the offline model on a loopback port.
 *
 * In: options. Out: a base URL for `openAiModel`, and a way to stop. Never here: any other interface than 127.0.0.1.
 */
import { offlineModel, type OfflineModelOptions } from "./server.ts";

export interface RunningOfflineModel {
  /** Such as "http://127.0.0.1:34567/v1". */
  readonly baseUrl: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** `port` 0, the default, takes a free one. */
export function startOfflineModel(
  options: OfflineModelOptions & { readonly port?: number } = {},
): RunningOfflineModel {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    development: false,
    // A hanging reply is meant to hang: the caller's deadline ends it, not this one.
    idleTimeout: 0,
    maxRequestBodySize: 4 * 1024 * 1024,
    fetch: offlineModel(options),
  });
  const port = server.port ?? 0;
  return { baseUrl: `http://127.0.0.1:${port}/v1`, port, stop: () => server.stop(true) };
}
