/**
 * Which Ethernet address a member has: read from the kernel's neighbour table. The fan-out program
 * rewrites destinations without a route lookup (that would need forwarding to be switched on), so
 * user space keeps the members' addresses in the group map fresh. Parsing is pure.
 */
import { readFileSync } from 'node:fs';

/** The interface's neighbours with a known address: IPv4 to MAC. */
export function parseNeighbours(table: string, interfaceName: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of table.split('\n').slice(1)) {
    const [address, , flags, mac, , device] = line.trim().split(/\s+/);
    if (address === undefined || mac === undefined || device !== interfaceName) continue;
    // ATF_COM: the entry is complete; an incomplete one shows zeroes.
    if ((Number(flags) & 0x2) === 0 || mac === '00:00:00:00:00:00') continue;
    found.set(address, mac);
  }
  return found;
}

/** proc(5), /proc/net/arp; of this process's network namespace. Empty when it cannot be read. */
export function readNeighbours(interfaceName: string): Map<string, string> {
  try {
    return parseNeighbours(readFileSync('/proc/net/arp', 'latin1'), interfaceName);
  } catch {
    return new Map();
  }
}
