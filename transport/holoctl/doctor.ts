/**
 * `holoctl doctor`: looks at the nodes for what an operator should change, and says what to do.
 * Exit code 1 where something is wrong; notes alone are no fault.
 */
import { isLoopbackEndpoint } from '../access/loopback.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeLine } from '../escape.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import type { NodeStatus } from '../http/node-status.ts';
import { ask, askJson, askStatus } from './ask.ts';
import { nodesOf, type Output, parseFlags } from './command-line.ts';

/** A clock that is further off is told of; beyond 60 s a node refuses writes. */
const CLOCK_OFF_SECONDS_MAX = 0.5;
/** One write of the log in a hundred may take so long. */
const LOG_P99_US_MAX = 100_000;
/** Of the files that a process may open. */
const OPEN_FILES_SHARE_MAX = 0.8;

/** `wrong`: to be changed. `note`: good to know. */
interface Finding {
  readonly kind: 'wrong' | 'note';
  readonly place: string;
  readonly what: string;
  readonly advice: string;
}

export async function doctor(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes'], ['json']);
  const nodes = nodesOf(flags);
  const statuses = await Promise.all(nodes.map(askStatus));
  const found = await Promise.all(nodes.map((node, index) => lookAt(node, statuses[index])));
  const findings = [...found.flat(), ...compare(statuses)];
  const isWell = findings.every(({ kind }) => kind === 'note');
  if (flags.on.has('json')) {
    output.write(`${JSON.stringify(findings)}\n`);
    return isWell ? 0 : 1;
  }
  for (const { kind, place, what, advice } of findings) {
    output.write(`${escapeLine(`${kind}: ${place}: ${what}. ${advice}`)}\n`);
  }
  if (isWell) output.write(`nothing is wrong with ${nodes.length} nodes\n`);
  return isWell ? 0 : 1;
}

async function lookAt(node: Endpoint, status?: NodeStatus | string): Promise<Finding[]> {
  const place = formatEndpoint(node);
  if (status === undefined || typeof status === 'string') {
    const advice = 'Is the process there? Its log ends with "fatal:" and the cause.';
    return [{ kind: 'wrong', place, what: `no answer: ${status}`, advice }];
  }
  const [metrics, latency] = await Promise.all([ask(node, '/metrics'), askJson(node, '/latency')]);
  const phases = Array.isArray(latency) ? (latency as PhaseReport[]) : [];
  return [
    ...ofStatus(place, status),
    ...ofClock(place, sampleOf(metrics, 'holostore_clock_offset_seconds')),
    ...ofDisk(
      place,
      phases.find(({ phase }) => phase === 'sync'),
    ),
    ...ofFiles(place, sampleOf(metrics, 'process_open_fds'), sampleOf(metrics, 'process_max_fds')),
  ];
}

function ofStatus(place: string, status: NodeStatus): Finding[] {
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
    if (status.protectedMode !== false || isLoopbackEndpoint(door)) continue;
    const advice =
      'It runs with --protected-mode no, without passwords: let a firewall admit trusted hosts ' +
      'alone, or turn it on.';
    wrong(`whoever reaches the ${port} port ${door} may do everything`, advice);
  }
  return findings;
}

function ofClock(place: string, offsetSeconds: number): Finding[] {
  if (Number.isNaN(offsetSeconds)) {
    const what = 'the clock has not been compared with a majority';
    return [{ kind: 'note', place, what, advice: 'Ask again when its peers are connected.' }];
  }
  if (Math.abs(offsetSeconds) <= CLOCK_OFF_SECONDS_MAX) return [];
  const what = `the clock is ${offsetSeconds.toFixed(3)} s off the cluster's`;
  return [{ kind: 'wrong', place, what, advice: 'Set it right: chrony or NTP.' }];
}

function ofDisk(place: string, log: PhaseReport | undefined): Finding[] {
  if (log === undefined || log.p99Us <= LOG_P99_US_MAX) return [];
  const what = `one write of the log in a hundred takes ${(log.p99Us / 1_000).toFixed()} ms`;
  const advice = 'Give --data-dir a faster disk, or one that nothing else writes to.';
  return [{ kind: 'wrong', place, what, advice }];
}

function ofFiles(place: string, open: number, max: number): Finding[] {
  if (!(open > OPEN_FILES_SHARE_MAX * max)) return [];
  const what = `${open} of ${max} files are open`;
  return [{ kind: 'wrong', place, what, advice: 'Raise ulimit -n, or lower --max-clients.' }];
}

function compare(statuses: readonly (NodeStatus | string)[]): Finding[] {
  const known = statuses.filter((status) => typeof status !== 'string');
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

/** NaN where there is none. */
function sampleOf(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
}
