/**
 * What a batch must have met, each at least once: a simulator that never recovers a transaction
 * proves nothing about recovery. Names are those of the counters of a run.
 */

import { drawnLimits } from './limits.ts';

/** By what is meant: the counters of which at least one must have moved. */
const COVERAGE: Readonly<Record<string, readonly string[]>> = {
  'decided fast': ['fast'],
  'decided slow': ['slow'],
  'recovered by a proposal': ['recovery coordinate'],
  'recovered by commit or stable': ['recovery commit', 'recovery stable'],
  invalidated: ['invalidated'],
  'recovery waited': ['recovery wait'],
  'recovery asked again': ['recovery again'],
  superseded: ['superseded'],
  nacks: ['nack promised'],
  'nacks of the decided': ['nack decided'],
  'nacks of the forgotten': ['nack truncated'],
  'frames repeated': ['frame repeated'],
  'torn tail cut': ['torn tail cut'],
  'durability rounds': ['durability round'],
  'catch-up lists': ['catch-up asked'],
  'facts fetched': ['fetch'],
  forgotten: ['forgotten'],
  'log truncated': ['log truncated'],
  'actors restarted': ['actor restart'],
  'executor replay': ['executor replay'],
  'reads that waited': ['read waited'],
  'reads that became transactions': ['read became a transaction'],
  'reads that took another barrier': ['read repeated as barrier'],
  'contended reads that became transactions': ['read repeated as transaction'],
  'reads after writes': ['read after a write'],
  'reads of several keys in one unit': ['workload pipeline'],
  'mixed units': ['workload mixed'],
  'big units': ['workload big'],
  'SCAN from end to end': ['walk ended'],
  DBSIZE: ['answered DBSIZE'],
  KEYS: ['answered KEYS'],
  RANDOMKEY: ['answered RANDOMKEY'],
  SCAN: ['answered SCAN'],
  FLUSHALL: ['answered FLUSHALL'],
  'sync policy: group commit': ['sync policy group_commit'],
  'sync policy: every record': ['sync policy every_record'],
  'sync policy: on flush': ['sync policy on_flush'],
  'votes counted below the actors': ['frames counted'],
  'frames that nobody counts': ['frames alone'],
  'time-outs': ['client told TIMEOUT'],
  refusals: ['client refused'],
  'answers unknown': ['client unknown'],
  'fault: crash': ['fault crash'],
  'fault: crash of all': ['fault crash of all'],
  'fault: crash after a cut of the log': ['fault crash after a cut'],
  'fault: actor crash': ['fault actor crash'],
  'fault: pause': ['fault pause'],
  'fault: clock jump': ['fault clock jump'],
  'fault: clock astray': ['fault clock astray'],
  'writes refused for the clock': ['client told CLOCK'],
  'fault: clocks set back': ['fault clocks set back'],
  'fault: partition': ['fault partition'],
  'fault: one-way cut': ['fault one-way cut'],
  'fault: swizzle': ['fault swizzle'],
  'fault: slow disk': ['fault slow disk'],
  'fault: sync error': ['stopped by a sync error'],
  'fault: full disk': ['client told DISKFULL'],
  'fault: empty disk': ['handshake refused'],
  'fault: rot in the log': ['log rot refused'],
  'fault: rot in the store': ['store rot found'],
  'fault: missing store': ['missing store refused'],
  'fault: missing log': ['missing log refused'],
};

/** What a batch has not met. */
export function missingCoverage(counts: Readonly<Record<string, number>>): string[] {
  const limits = drawnLimits().map((name) => [name, [name]] as const);
  return [...Object.entries(COVERAGE), ...limits].flatMap(([what, counters]) =>
    counters.some((counter) => (counts[counter] ?? 0) > 0) ? [] : [what],
  );
}
