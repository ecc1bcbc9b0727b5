/**
 * Checks a cluster of real processes: clients on all nodes, real faults, and the answers of all
 * clients checked for linearizability and strict serializability.
 *
 *   npm run check:linearizability -- [--time SECONDS] [--faults kill,pause,partition,restart-all,
 *       slow-disk,clock] [--changes split,move,drain,decommission] [--nodes 3|5] [--ranges N]
 *       [--replication-factor N] [--clients N] [--holofast MODE] [--out FOLDER] [--porcupine]
 *
 * With several ranges most transactions are over more than one. Changes go on beside the faults.
 *
 * Exits with 0 (all is well), 1 (a violation; data and logs are kept), 2 (proves nothing: a fault
 * was never really done, nothing succeeded during one, a search gave up, or the checkers disagree)
 * or 64 (called wrongly).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { History } from '../verify/history.ts';
import { writeHistory } from '../verify/history-file.ts';
import { checkLinearizability } from '../verify/linearizability.ts';
import {
  checkWithPorcupine,
  isForPorcupine,
  PorcupineUnavailableError,
} from '../verify/porcupine.ts';
import { checkQueues, type QueueHistory } from '../verify/queues.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';
import { CHANGES, type ChangeName, Changes } from './changes.ts';
import { QueueClients } from './check-queues.ts';
import { CheckWorkload } from './check-workload.ts';
import { DiskHog } from './disk-hog.ts';
import { TestCluster } from './harness.ts';
import { LinkProxies } from './link-proxy.ts';
import { FAULTS, type FaultName, injectFault, settle, type World } from './nemesis.ts';
import { SkewedClock } from './skewed-clock.ts';

const EXIT = { ok: 0, violation: 1, nothing: 2, usage: 64 } as const;
const COMMAND_TIMEOUT_MS = 2_000;
/** Between two faults, and how long one lasts. */
const CALM_MS = [500, 2_500] as const;
const FAULT_MS = [500, 4_000] as const;
/** To write a trace. */
const TRACE_MS = 3_000;
const STEPS_MAX = 20_000_000;

interface Settings {
  readonly timeMs: number;
  readonly faults: readonly FaultName[];
  readonly nodes: number;
  readonly ranges: number;
  readonly changes: readonly ChangeName[];
  readonly replicationFactor: string;
  readonly clients: number;
  readonly holofast: string;
  readonly out: string;
  readonly porcupine: boolean;
}

interface Tally {
  injected: number;
  /** Operations that succeeded while the fault was there. */
  succeeded: number;
  readonly failures: string[];
}

class UsageError extends Error {}

const OPTIONS = {
  time: { type: 'string', default: '60' },
  faults: { type: 'string', default: FAULTS.join(',') },
  nodes: { type: 'string', default: '3' },
  ranges: { type: 'string', default: '1' },
  changes: { type: 'string', default: '' },
  'replication-factor': { type: 'string', default: 'all' },
  clients: { type: 'string', default: '2' },
  holofast: { type: 'string', default: 'auto' },
  out: { type: 'string', default: '.tmp/linearizability' },
  porcupine: { type: 'boolean', default: false },
} as const;

function flagsOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parse(args: readonly string[]): Settings {
  const values = flagsOf(args);
  const whole = (name: string, text: string, allowed: (value: number) => boolean): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || !allowed(value)) throw new UsageError(`--${name} ${text}?`);
    return value;
  };
  return {
    timeMs: 1_000 * whole('time', values.time, (value) => value > 0),
    faults: named('fault', values.faults, FAULTS),
    changes: named('change', values.changes, CHANGES),
    replicationFactor: values['replication-factor'],
    nodes: whole('nodes', values.nodes, (value) => value === 3 || value === 5),
    ranges: whole('ranges', values.ranges, (value) => value > 0 && value <= 1_024),
    clients: whole('clients', values.clients, (value) => value > 0 && value <= 100),
    holofast: values.holofast,
    out: resolve(values.out),
    porcupine: values.porcupine,
  };
}

function named<T extends string>(what: string, text: string, known: readonly T[]): T[] {
  const names = text.split(',').filter((name) => name !== '');
  return names.map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new UsageError(`unknown ${what} "${name}": ${known.join(', ')}`);
    return found;
  });
}

async function main(args: readonly string[]): Promise<number> {
  const settings = parse(args);
  mkdirSync(settings.out, { recursive: true });
  const proxies = new LinkProxies();
  const clocks = Array.from(
    { length: settings.nodes },
    (_, index) => new SkewedClock(settings.out, index + 1),
  );
  for (const clock of clocks) clock.heal();
  const cluster = await TestCluster.prepare({
    nodes: settings.nodes,
    flags: [
      `--command-timeout-ms=${COMMAND_TIMEOUT_MS}`,
      // Short segments: the log is cut and its files are used again all the time.
      '--segment-bytes=1mb',
      '--batch-bytes-max=64kb',
      `--holofast=${settings.holofast}`,
      `--initial-ranges=${settings.ranges}`,
      `--replication-factor=${settings.replicationFactor}`,
    ],
    advertise: (id, peerPort) => proxies.inFrontOf(id, peerPort),
    nodeArguments: (id) => clocks[id - 1]?.nodeArguments ?? [],
  });
  const hog = new DiskHog(cluster.directory);
  let code: number = EXIT.violation;
  try {
    // The disk may be busy for reasons of its own: its best is what it can do.
    const calmDiskMs = Math.min(await hog.probeMs(), await hog.probeMs(), await hog.probeMs());
    await cluster.startAll();
    const { nodes, replicationFactor } = settings;
    const lostMax = (Math.min(nodes, Number(replicationFactor) || nodes) - 1) >> 1;
    code = await check(settings, { cluster, proxies, clocks, hog, calmDiskMs, lostMax });
  } finally {
    await hog.stop();
    proxies.heal();
    if (code === EXIT.violation) {
      say(`data, logs and traces of the nodes are kept in ${cluster.directory}`);
      for (const node of cluster.nodes) if (node.isRunning) node.signal('SIGUSR2');
      await sleep(TRACE_MS);
      await Promise.all(cluster.nodes.map((node) => node.terminate()));
    } else {
      await cluster.remove();
    }
    proxies.close();
  }
  return code;
}

async function check(settings: Settings, world: World): Promise<number> {
  const { cluster } = world;
  const workload = new CheckWorkload(cluster.nodes, {
    clientsPerNode: settings.clients,
    thinkMsMax: 10,
    timeoutMs: 2 * COMMAND_TIMEOUT_MS,
  });
  const queues = new QueueClients(cluster.nodes, {
    tally: workload.tally,
    timeoutMs: 2 * COMMAND_TIMEOUT_MS,
    thinkMsMax: 40,
  });
  const start = performance.now();
  workload.begin();
  queues.begin();
  const changes = new Changes(cluster, settings.changes);
  changes.begin();
  const tallies = await runFaults(settings, { ...world, changes }, workload, start);
  await changes.stop();
  await Promise.all([workload.stop(), queues.stop()]);
  say(
    `clients have stopped: ${workload.tally.ok} ok, ${workload.tally.unknown} open, ${workload.tally.refused} refused`,
  );
  const { tried, ok } = workload.tally.healthy;
  const share = ((100 * ok) / Math.max(1, tried)).toFixed(1);
  say(`at nodes that were part of no fault ${ok} of ${tried} succeeded (${share} %)`);
  const { kept, changed } = workload.tally.watches;
  say(`blocks behind WATCH: ${kept} ran, ${changed} found their key changed`);
  await cluster.ready();
  await workload.readAll();
  await queues.readAll();
  const fast = Object.entries(await cluster.node(1).info('holofast'));
  say(fast.map(([name, value]) => `${name}=${value}`).join(' '));
  const histories = workload.histories();
  const verdicts = [
    verify(settings, 'registers', histories.registers),
    verify(settings, 'lists', histories.lists),
    verify(settings, 'collections', histories.collections),
    await verifyQueues(settings, cluster, queues.history()),
  ];
  const shortcomings = [
    ...workload.tally.surprises.slice(0, 3).map((why) => `a client was told: ${why}`),
    ...shortcomingsOf(settings, tallies, workload),
  ];
  for (const [name, { injected, succeeded, failures }] of tallies) {
    say(`${name}: ${injected} times, ${succeeded} operations succeeded meanwhile`);
    for (const failure of failures.slice(0, 3)) say(`  not really done: ${failure}`);
  }
  for (const [name, { tried, completed, cutInto, failures }] of changes.tallies) {
    say(`${name}: ${completed} of ${tried} completed, ${cutInto} faults began inside`);
    for (const failure of failures.slice(0, 3)) say(`  not completed: ${failure}`);
    if (completed === 0) shortcomings.push(`no ${name} was completed`);
  }
  for (const shortcoming of shortcomings) say(`proves nothing: ${shortcoming}`);
  if (verdicts.includes('violation')) return EXIT.violation;
  if (shortcomings.length > 0 || verdicts.includes('exhausted')) return EXIT.nothing;
  say('all is well');
  return EXIT.ok;
}

async function runFaults(
  settings: Settings,
  { changes, ...world }: World & { readonly changes: Changes },
  workload: CheckWorkload,
  start: number,
): Promise<Map<FaultName, Tally>> {
  const tallies = new Map<FaultName, Tally>(
    settings.faults.map((name) => [name, { injected: 0, succeeded: 0, failures: [] }]),
  );
  let queue: FaultName[] = [];
  await sleep(1_000);
  while (performance.now() - start < settings.timeMs) {
    await sleep(between(CALM_MS));
    if (settings.faults.length === 0) continue;
    // Every fault has its turn before any comes again.
    if (queue.length === 0) queue = shuffled(settings.faults);
    const name = queue.pop();
    const tally = name === undefined ? undefined : tallies.get(name);
    if (name === undefined || tally === undefined) continue;
    const fault = await injectFault(name, world);
    changes.faultBegins();
    workload.faulty = fault.victims;
    const before = workload.tally.ok;
    await settle();
    let failure: string | undefined;
    try {
      await sleep(between(FAULT_MS));
      failure = await fault.check();
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    const succeeded = workload.tally.ok - before;
    await fault.heal();
    workload.faulty = [];
    if (failure === undefined) {
      tally.injected += 1;
      tally.succeeded += succeeded;
    } else {
      tally.failures.push(`${fault.what}: ${failure}`);
    }
    const second = ((performance.now() - start) / 1_000).toFixed(1);
    say(`${second} s: ${fault.what}; ${succeeded} operations succeeded meanwhile`);
  }
  return tallies;
}

function verify(settings: Settings, name: string, history: History): string {
  const path = join(settings.out, `${name}.jsonl`);
  writeHistory(path, history);
  const ours =
    history.model === 'list-append-txn'
      ? checkStrictSerializability(history)
      : checkLinearizability(history, { stepsMax: STEPS_MAX });
  say(`${path}: ${ours.text}`);
  writeFileSync(join(settings.out, `${name}.verdict.txt`), `${ours.text}\n`);
  if (!settings.porcupine || !isForPorcupine(history.model)) return ours.verdict;
  try {
    const theirs = checkWithPorcupine(path, { htmlPath: join(settings.out, `${name}.html`) });
    say(`porcupine: ${theirs.verdict}; ${theirs.keys} keys`);
    if (theirs.verdict === ours.verdict) return ours.verdict;
    say('the two checkers do not agree');
    return [theirs.verdict, ours.verdict].includes('violation') ? 'violation' : 'exhausted';
  } catch (error) {
    if (!(error instanceof PorcupineUnavailableError)) throw error;
    say(`porcupine: not asked; ${error.message}`);
    return 'exhausted';
  }
}

async function verifyQueues(
  settings: Settings,
  cluster: TestCluster,
  history: QueueHistory,
): Promise<'ok' | 'violation' | 'exhausted'> {
  const operations = { ...history, left: [...history.left] };
  writeFileSync(join(settings.out, 'queues.json'), JSON.stringify(operations));
  const { violations, taken, missing, ended, open } = checkQueues(history);
  const stats = await Promise.all(cluster.nodes.map((node) => node.info('stats')));
  const orphaned = stats.reduce((sum, info) => sum + Number(info['blocking_pops_orphaned']), 0);
  say(
    `queues: ${history.pushes.length} pushed, ${taken} taken by clients that wait, ${ended} waited ` +
      `in vain, ${open} open; ${missing} elements are gone with these, ${orphaned} known as orphaned`,
  );
  for (const violation of violations.slice(0, 5)) say(`queues: ${violation}`);
  if (violations.length > 0) return 'violation';
  return taken > 0 ? 'ok' : 'exhausted';
}

function shortcomingsOf(
  settings: Settings,
  tallies: ReadonlyMap<FaultName, Tally>,
  workload: CheckWorkload,
): string[] {
  const found: string[] = [];
  if (workload.tally.ok === 0) found.push('no operation succeeded');
  for (const name of settings.faults) {
    const { injected = 0, succeeded = 0 } = tallies.get(name) ?? {};
    if (injected === 0) found.push(`${name} was never really done`);
    // With all nodes dead nothing can succeed; all else leaves a majority.
    else if (succeeded === 0 && name !== 'restart-all') found.push(`nothing succeeded in ${name}`);
  }
  return found;
}

function between([msMin, msMax]: readonly [number, number]): number {
  return msMin + Math.random() * (msMax - msMin);
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.nothing;
}
