/**
 * Arrays of addresses and texts as C wants them.
 *
 * In: addresses, strings. Out: memory of ours that C may read for as long as the result is referenced.
 * Never here: native memory that somebody must free.
 */
import { type Address, cString, readAddress, scratch } from "./symbols.ts";

/** An array of pointers; at least one long, so that it has an address. */
export function pointerArray(addresses: readonly Address[]) {
  const array = scratch(Math.max(1, addresses.length) * 8);
  addresses.forEach((address, at) => array.view.setBigUint64(at * 8, BigInt(address), true));
  return array;
}

/** The addresses in a native array, whose length C wrote into `count` (a `size_t`). */
export function eachPointer(array: Address, count: DataView): Address[] {
  return Array.from({ length: Number(count.getBigUint64(0, true)) }, (_, at) => readAddress(array, at * 8));
}

/** A C string with an address that stays right as long as the result is referenced. */
export function nativeText(value: string) {
  const bytes = cString(value);
  const kept = scratch(bytes.byteLength);
  kept.bytes.set(bytes);
  return kept;
}
