/**
 * How fast one process executes transaction bodies: commands per second over 100,000 keys, and what
 * a flush costs per key. `run([engine?, commands?])`; prints a table, asserts nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine } from '../../storage/engine.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines } from '../../storage/state-machines.ts';

const GROUP = { id: { range: 1, generation: 1 }, fromSlot: 0, toSlot: REDIS_SLOTS };
const KEYS = 100_000;
const COMMANDS_PER_BODY = 1_000;
const START_US = 1_700_000_000_000_000;

type Make = (key: string) => string[];

const WORKLOADS: readonly (readonly [string, Make])[] = [
  ['SET (new keys)', (key) => ['SET', key, 'xxx']],
  ['SET', (key) => ['SET', key, 'xxx']],
  ['GET', (key) => ['GET', key]],
  ['SET number', (key) => ['SET', key, '100']],
  ['INCR', (key) => ['INCR', key]],
  ['SET EX', (key) => ['SET', key, 'xxx', 'EX', '1000']],
  ['SET 512 bytes', (key) => ['SET', key, 'x'.repeat(512)]],
];

function resp(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join('')}`;
}

function bodiesOf(make: Make, count: number, inOrder: boolean): Buffer[] {
  const bodies: Buffer[] = [];
  let state = 88_172_645;
  for (let at = 0; at < count; at += COMMANDS_PER_BODY) {
    let text = '';
    for (let i = at; i < Math.min(at + COMMANDS_PER_BODY, count); i += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const n = inOrder ? i % KEYS : state % KEYS;
      text += resp(make(`key:${String(n).padStart(12, '0')}`));
    }
    bodies.push(Buffer.from(text, 'latin1'));
  }
  return bodies;
}

class Driver {
  readonly #all: StateMachines;
  readonly machine: StateMachine;
  readonly #args = new Arguments();
  #sequence = 0;

  constructor(engine: Engine) {
    this.#all = new StateMachines({
      groups: [GROUP],
      engine,
      cacheBytesMax: 512 * 1024 * 1024,
      dirtyBytesMax: 64 * 1024 * 1024,
      tableHashKey: [1, 2],
    });
    this.machine = this.#all.of(GROUP.id) as StateMachine;
  }

  execute(bodies: readonly Buffer[]): void {
    for (const body of bodies) {
      this.#sequence += 1;
      this.machine.begin({ hlc: START_US + this.#sequence, flags: 2, node: 1, store: 0 });
      let at = 0;
      while (at < body.length) {
        at = this.#args.next(body, at);
        this.machine.run(this.#args, NO_REPLY);
      }
      this.machine.commit(this.#sequence);
    }
  }

  read(bodies: readonly Buffer[]): void {
    for (const body of bodies) {
      let at = 0;
      while (at < body.length) {
        at = this.#args.next(body, at);
        this.machine.read(this.#args, START_US / 1000, NO_REPLY);
      }
    }
  }

  async flush(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#all.flush((error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

interface Reading {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Processor time says more than the clock where the machine is shared. */
function now(): Reading {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

function report(what: string, count: number, since: Reading): void {
  const { wallMs, cpuMs } = now();
  const rate = Math.round((count / (wallMs - since.wallMs)) * 1000).toLocaleString('en');
  const wall = (((wallMs - since.wallMs) * 1e6) / count).toFixed(0);
  const cpu = (((cpuMs - since.cpuMs) * 1e6) / count).toFixed(0);
  console.log(
    `${what.padEnd(30)} ${rate.padStart(10)}/s ${wall.padStart(6)} ns each, ${cpu} ns of processor`,
  );
}

async function measure(driver: Driver, commands: number): Promise<void> {
  for (const [name, make] of WORKLOADS) {
    const fresh = name === 'SET (new keys)';
    const count = fresh ? KEYS : commands;
    const bodies = bodiesOf(make, count, fresh);
    const before = now();
    driver.execute(bodies);
    report(name, count, before);
    if (name === 'GET') {
      const begun = now();
      driver.read(bodies);
      report('GET (ephemeral read)', count, begun);
    }
  }
  for (let round = 0; round < 3; round += 1) {
    driver.execute(bodiesOf((key) => ['SET', key, 'xxx'], KEYS, true));
    const before = now();
    let flushing = true;
    const flushed = driver.flush().finally(() => {
      flushing = false;
    });
    let longestMs = 0;
    for (let last = performance.now(); flushing; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const turnEnd = performance.now();
      longestMs = Math.max(longestMs, turnEnd - last);
      last = turnEnd;
    }
    await flushed;
    report(`flush ${KEYS} keys`, KEYS, before);
    console.log(`  its longest turn took ${longestMs.toFixed(1)} ms of this thread`);
  }
}

export async function run(args: string[]): Promise<void> {
  const commands = Number(args[1] ?? 2_000_000);
  const directory = mkdtempSync(join(tmpdir(), 'holo-bench-storage-'));
  try {
    for (const name of args[0] === undefined ? ['memory', 'lmdb'] : [args[0]]) {
      const engine =
        name === 'lmdb'
          ? new LmdbEngine({ directory })
          : new MemoryEngine({
              store: new MemoryStore([1, 2]),
              defer: (then) => setImmediate(then),
            });
      console.log(`engine ${name}`);
      await measure(new Driver(engine), commands);
      await new Promise<void>((resolve) => engine.close(resolve));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
