/**
 * The modes that an operator can choose, and the tiers that run. Pure; used by settings, status
 * pages and the path.
 */

export const HOLOFAST_MODES = ['auto', 'off', 'userspace', 'sendmmsg', 'kernel'] as const;
/** `auto`: the best that is of use here. The others: this one, or the node does not start. */
export type HoloFastMode = (typeof HOLOFAST_MODES)[number];

/** By tier: 0 plain dgram, 1 one sendmmsg for all members, 2 the kernel sends and counts. */
export const TIER_NAMES = ['userspace', 'sendmmsg', 'kernel'] as const;
export type TierName = (typeof TIER_NAMES)[number] | 'off';

/**
 * Why `auto` leaves HoloFast off for members at these hosts; undefined where it may run. On one
 * machine TCP serves many clients a little better (docs/holofast.md has the numbers, and why).
 */
export function reasonAgainst(mode: HoloFastMode, hosts: readonly string[]): string | undefined {
  if (mode === 'off') return 'switched off';
  if (hosts.length < 2) return 'a cluster of one node has no peers';
  const loopback = hosts.every((host) => host === 'localhost' || host.startsWith('127.'));
  if (mode !== 'auto' || !loopback) return undefined;
  return (
    'all nodes are on this machine, where TCP alone serves more commands per second ' +
    'to many clients; --holofast kernel insists'
  );
}
