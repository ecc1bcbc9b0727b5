/**
 * What an operator can ask for, and what runs. Pure; settings, status pages and the path use it.
 */

export const HOLOFAST_MODES = ['auto', 'off', 'userspace', 'sendmmsg', 'kernel'] as const;
/** `auto`: the best that is of use here. The others: this one, or the node does not start. */
export type HoloFastMode = (typeof HOLOFAST_MODES)[number];

/** By tier: 0 plain dgram, 1 one sendmmsg for all members, 2 the kernel sends and counts. */
export const TIER_NAMES = ['userspace', 'sendmmsg', 'kernel'] as const;
export type TierName = (typeof TIER_NAMES)[number] | 'off';
