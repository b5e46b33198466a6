/**
 * What a project's folder says of the keeper that runs there.
 */

/** What `keeper.json` (0600) says of the running keeper. */
export interface KeeperRecord {
  readonly pid: number;
  /** Random per start; stands on the command line, so that a recycled pid is recognised. */
  readonly mark: string;
  readonly port: number;
  /** Opens the control channel; stands in this file alone. */
  readonly token: string;
}
