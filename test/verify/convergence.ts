/**
 * Do the replicas hold the same data? At the end of a run, with the network healed and nothing
 * under way, every replica of a key must hold the same bytes. The simulator hands in what each
 * replica has (values, or digests of them); the answer names the keys that differ and who has what.
 */

export interface ReplicaContents {
  readonly replica: string;
  /** A digest of the value (or the value itself) by key. */
  readonly entries: ReadonlyMap<string, string>;
  /** Whether the replica should hold the key at all; by default it holds every key. */
  readonly owns?: (key: string) => boolean;
}

export interface Difference {
  readonly key: string;
  /** By replica that owns the key or holds it; undefined where the key is missing. */
  readonly held: ReadonlyMap<string, string | undefined>;
  /** Replicas that hold the key and should not. */
  readonly strays: readonly string[];
}

export interface ConvergenceVerdict {
  readonly verdict: 'ok' | 'violation';
  readonly keys: number;
  /** All differing keys are counted, the first `differencesMax` are described. */
  readonly differing: number;
  readonly differences: readonly Difference[];
  /** For people. */
  readonly text: string;
}

export interface ConvergenceOptions {
  readonly differencesMax?: number;
}

export const DIFFERENCES_MAX = 32;

/** Compares all replicas, key by key in the order of the keys. */
export function checkConvergence(
  replicas: readonly ReplicaContents[],
  options: ConvergenceOptions = {},
): ConvergenceVerdict {
  const differencesMax = options.differencesMax ?? DIFFERENCES_MAX;
  const keys = new Set<string>();
  for (const { entries } of replicas) for (const key of entries.keys()) keys.add(key);
  const differences: Difference[] = [];
  let differing = 0;
  for (const key of [...keys].sort()) {
    const difference = compare(key, replicas);
    if (difference === undefined) continue;
    differing += 1;
    if (differences.length < differencesMax) differences.push(difference);
  }
  const verdict = differing > 0 ? 'violation' : 'ok';
  const lines = [
    `convergence: ${verdict}; ${differing} of ${keys.size} keys differ ` +
      `among ${replicas.length} replicas`,
    ...differences.map(describe),
  ];
  if (differing > differences.length) lines.push(`and ${differing - differences.length} more keys`);
  return { verdict, keys: keys.size, differing, differences, text: lines.join('\n') };
}

function compare(key: string, replicas: readonly ReplicaContents[]): Difference | undefined {
  let first: string | undefined;
  let owners = 0;
  let same = true;
  const strays: string[] = [];
  for (const { replica, entries, owns } of replicas) {
    const value = entries.get(key);
    if (owns !== undefined && !owns(key)) {
      if (value !== undefined) strays.push(replica);
      continue;
    }
    if (owners++ === 0) first = value;
    else if (value !== first) same = false;
  }
  if (same && strays.length === 0) return undefined;
  const held = new Map<string, string | undefined>();
  for (const { replica, entries, owns } of replicas) {
    const value = entries.get(key);
    if (value !== undefined || owns === undefined || owns(key)) held.set(replica, value);
  }
  return { key, held, strays };
}

const VALUE_SHOWN_CHARS_MAX = 80;

function describe({ key, held, strays }: Difference): string {
  const parts = [...held].map(([replica, value]) => {
    const shown = value === undefined ? 'nothing' : JSON.stringify(shorten(value));
    return `${replica} holds ${shown}${strays.includes(replica) ? ' and should not' : ''}`;
  });
  return `key ${JSON.stringify(key)}: ${parts.join(', ')}`;
}

/** The end is kept, too: lists differ there. */
function shorten(value: string): string {
  if (value.length <= VALUE_SHOWN_CHARS_MAX) return value;
  const half = VALUE_SHOWN_CHARS_MAX / 2;
  return `${value.slice(0, half)}...${value.slice(-half)}`;
}
