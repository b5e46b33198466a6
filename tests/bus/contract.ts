/**
 * What every form of the bus must do, as tests, theme by theme. Written against bus.ts alone.
 *
 * In: a name and a way to open buses on one broker. Out: a `describe` block.
 */
import { describe } from "bun:test";
import { closingContract } from "./closing-contract.ts";
import { commitContract } from "./commit-contract.ts";
import { type BusPlace, contractStage } from "./contract-stage.ts";
import { ownershipContract } from "./ownership-contract.ts";
import { publishingContract } from "./publishing-contract.ts";
import { readingContract } from "./reading-contract.ts";
import { transactionContract, type TakenBack } from "./transaction-contract.ts";

export type { BusPlace } from "./contract-stage.ts";

/** `takenBack`: what whoever reads sees of a transaction that was taken back. Default: nothing of it. */
export function busContract(
  name: string,
  start: () => Promise<BusPlace>,
  { takenBack = "hidden" }: { readonly takenBack?: TakenBack } = {},
): void {
  describe(`the bus contract: ${name}`, () => {
    const stage = contractStage(start);
    publishingContract(stage);
    readingContract(stage);
    commitContract(stage);
    transactionContract(stage, takenBack);
    ownershipContract(stage);
    closingContract(stage);
  });
}
