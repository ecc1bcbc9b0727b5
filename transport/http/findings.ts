/** Findings about nodes, each with advice to their operator: for holoctl and the console. */
import { isLoopbackEndpoint } from '../access/loopback.ts';
import type { NodeStatus } from './node-status.ts';

/** A clock that is further off is told of; beyond 60 s a node refuses writes. */
const CLOCK_OFF_SECONDS_MAX = 0.5;
/** One write of the log in a hundred may take so long. */
const LOG_P99_US_MAX = 100_000;
/** Of the files that a process may open. */
const OPEN_FILES_SHARE_MAX = 0.8;

/** `wrong`: to be changed. `note`: good to know. */
export interface Finding {
  readonly kind: 'wrong' | 'note';
  readonly place: string;
  readonly what: string;
  readonly advice: string;
}

interface NodeFacts {
  readonly place: string;
  readonly status: NodeStatus;
  /** NaN: not compared yet. */
  readonly clockOffsetSeconds: number;
  /** Of one write of the log with its sync; undefined: none yet. */
  readonly syncP99Us: number | undefined;
  /** NaN where the system does not tell. */
  readonly openFiles: number;
  readonly openFilesMax: number;
}

export function findingsOf(facts: NodeFacts): Finding[] {
  return [...ofStatus(facts), ...ofClock(facts), ...ofDisk(facts), ...ofFiles(facts)];
}

export function silentNode(place: string, reason: string): Finding {
  const advice = 'Is the process there? Its log ends with "fatal:" and the cause.';
  return { kind: 'wrong', place, what: `no answer: ${reason}`, advice };
}

function ofStatus({ place, status }: NodeFacts): Finding[] {
  const { notReady, disk = 'ok', memory = 'ok', holofast, members } = status;
  const findings: Finding[] = [];
  const wrong = (what: string, advice: string) =>
    findings.push({ kind: 'wrong', place, what, advice });
  const note = (what: string, advice: string) =>
    findings.push({ kind: 'note', place, what, advice });
  if (notReady !== undefined) wrong(`not ready: ${notReady}`, 'It does not serve until then.');
  if (disk !== 'ok') wrong(`disk: ${disk}`, 'Make room, or replace the device.');
  if (memory !== 'ok') wrong(`memory: ${memory}`, 'Delete keys, or raise maxmemory.');
  for (const { id, alive, host, port } of members) {
    if (alive) continue;
    wrong(`node ${id} (${host}:${port}) is not connected`, 'See the logs of both: holoctl logs.');
  }
  if (holofast !== undefined && holofast.tier !== 'kernel') {
    note(`HoloFast runs in tier ${holofast.tier}`, `Why no higher one: ${holofast.reason}.`);
  }
  if (status.peers === 'open' && members.length > 1) {
    const advice = 'Make a secret with "holostore make-secret", give all --cluster-secret-file.';
    note('every program on its machine can act as a member', advice);
  }
  for (const [port, door] of Object.entries({ Redis: status.redis, admin: status.admin })) {
    if (status.protectedMode !== false || status.passwords === true) continue;
    if (isLoopbackEndpoint(door)) continue;
    const advice =
      'It runs with --protected-mode no, without passwords: let a firewall admit trusted hosts ' +
      'alone, or turn it on.';
    const what = port === 'admin' ? 'read' : 'do';
    wrong(`whoever reaches the ${port} port ${door} may ${what} everything`, advice);
  }
  return findings;
}

function ofClock({ place, clockOffsetSeconds: offsetSeconds }: NodeFacts): Finding[] {
  if (Number.isNaN(offsetSeconds)) {
    const what = 'the clock has not been compared with a majority';
    return [{ kind: 'note', place, what, advice: 'Ask again when its peers are connected.' }];
  }
  if (Math.abs(offsetSeconds) <= CLOCK_OFF_SECONDS_MAX) return [];
  const what = `the clock is ${offsetSeconds.toFixed(3)} s off the cluster's`;
  return [{ kind: 'wrong', place, what, advice: 'Set it right: chrony or NTP.' }];
}

function ofDisk({ place, syncP99Us = 0 }: NodeFacts): Finding[] {
  if (syncP99Us <= LOG_P99_US_MAX) return [];
  const what = `one write of the log in a hundred takes ${(syncP99Us / 1_000).toFixed()} ms`;
  const advice = 'Give --data-dir a faster disk, or one that nothing else writes to.';
  return [{ kind: 'wrong', place, what, advice }];
}

function ofFiles({ place, openFiles: open, openFilesMax: max }: NodeFacts): Finding[] {
  if (!(open > OPEN_FILES_SHARE_MAX * max)) return [];
  const what = `${open} of ${max} files are open`;
  return [{ kind: 'wrong', place, what, advice: 'Raise ulimit -n, or lower --max-clients.' }];
}

/** Of nodes that should be of one cluster. */
export function compareNodes(known: readonly NodeStatus[]): Finding[] {
  const findings: Finding[] = [];
  for (const [field, advice] of [
    ['version', 'Upgrade the older ones, one at a time.'],
    ['clusterId', 'They are of different clusters: see --initial-members.'],
  ] as const) {
    const values = [...new Set(known.map((status) => status[field]))];
    if (values.length < 2) continue;
    const what = `the nodes differ in ${field}: ${values.join(', ')}`;
    findings.push({ kind: 'wrong', place: 'cluster', what, advice });
  }
  return findings;
}
