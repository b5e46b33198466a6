/**
 * Who can reach an address to listen on?
 */

/** Does only this machine reach it? Names other than `localhost` may lead anywhere. */
export function isLoopback(hostname: string): boolean {
  const plain = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return plain === "localhost" || plain === "::1" || /^127(?:\.\d{1,3}){3}$/.test(plain);
}
