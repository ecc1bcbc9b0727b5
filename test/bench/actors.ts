/**
 * The cost of a message: our actors on nact beside nact alone, in the same run. One busy actor in
 * a burst, and 1, 10 and 100 messages per turn; then the virtual scheduler's event rate. Prints a
 * table; `--quick` runs a tenth of the messages. Absolute numbers vary with the machine and its
 * load, the ratios hardly.
 */

import Table from 'cli-table3';
import { dispatch, spawn, start, stop } from 'nact';
import type { ActorRef } from '../../actors/runtime/actor-ref.ts';
import { ActorSystem } from '../../actors/runtime/actor-system.ts';
import { NactScheduler } from '../../actors/runtime/nact-shim.ts';
import { SystemClock, systemRng } from '../../actors/runtime/ports/system-ports.ts';
import { TraceRecorder } from '../../actors/runtime/trace/trace-recorder.ts';
import { VirtualScheduler } from '../simulation/virtual-scheduler.ts';

const MESSAGES = 1_000_000;

interface Result {
  readonly name: string;
  readonly messages: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** A target that counts what it received and tells when a number is reached. */
interface Target {
  send(message: number): void;
  close(): void;
  whenReceived(count: number, then: () => void): void;
}

export async function run(args: string[]): Promise<void> {
  const scale = args.includes('--quick') ? 0.1 : 1;
  const results: Result[] = [];
  for (const [name, make] of [
    ['nact alone', nactTarget],
    ['actors', actorTarget],
    ['actors, no tracing of edges', untracedTarget],
  ] as const) {
    // The first rounds are for the compiler.
    await burst(name, make, Math.round(MESSAGES * scale * 0.2));
    results.push(await burst(`${name}, burst`, make, Math.round(MESSAGES * scale)));
    for (const perTurn of [1, 10, 100]) {
      const messages = Math.round(Math.min(MESSAGES, 100_000 * perTurn) * scale);
      const few = make === nactTarget ? Math.round(100_000 * scale) : messages;
      results.push(await paced(`${name}, ${perTurn} per turn`, make, few, perTurn));
    }
  }
  results.push(virtualEvents(Math.round(MESSAGES * scale)));
  print(results);
}

function nactTarget(): Target {
  const counter = new Counter();
  const system = start();
  const ref = spawn(system, (_state: undefined, message: number): undefined => {
    counter.receive(message);
  });
  return {
    send: (message) => dispatch(ref, message),
    close: () => stop(system),
    whenReceived: (count, then) => counter.whenReceived(count, then),
  };
}

function actorTarget(): Target {
  return cellTarget(undefined);
}

function untracedTarget(): Target {
  return cellTarget(0);
}

function cellTarget(sampleEvery: number | undefined): Target {
  const clock = new SystemClock();
  const scheduler = new NactScheduler();
  const sampling = sampleEvery === undefined ? {} : { sampleEvery };
  const recorder = new TraceRecorder({ clock, node: 0, ...sampling });
  const rng = systemRng();
  const onFailed = (): void => {};
  const system = new ActorSystem({ name: 'bench', clock, rng, scheduler, onFailed, recorder });
  const counter = new Counter();
  const ref: ActorRef<number> = system.root.child<number>({
    name: 'target',
    shutdownMs: 100,
    mailboxMax: MESSAGES,
    start: () => counter,
  });
  return {
    send: (message) => {
      ref.tell(message);
    },
    close: () => system.shutdown([], () => {}),
    whenReceived: (count, then) => counter.whenReceived(count, then),
  };
}

class Counter {
  #count = 0;
  #until = Number.POSITIVE_INFINITY;
  #then: () => void = () => {};

  receive(_message: number): void {
    this.#count += 1;
    if (this.#count === this.#until) this.#then();
  }

  whenReceived(count: number, then: () => void): void {
    this.#count = 0;
    this.#until = count;
    this.#then = then;
  }
}

/** All messages at once. */
function burst(name: string, make: () => Target, messages: number): Promise<Result> {
  const target = make();
  return measured(name, messages, target, () => {
    for (let next = 0; next < messages; next += 1) target.send(next);
  });
}

/** A batch per event-loop turn, like a socket that is read once per turn. */
function paced(
  name: string,
  make: () => Target,
  messages: number,
  perTurn: number,
): Promise<Result> {
  const target = make();
  let sent = 0;
  const sendSome = (): void => {
    for (let next = 0; next < perTurn && sent < messages; next += 1) {
      target.send(sent);
      sent += 1;
    }
    if (sent < messages) setImmediate(sendSome);
  };
  return measured(name, messages, target, sendSome);
}

function measured(
  name: string,
  messages: number,
  target: Target,
  send: () => void,
): Promise<Result> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const cpuBefore = process.cpuUsage();
    target.whenReceived(messages, () => {
      const cpu = process.cpuUsage(cpuBefore);
      const wallMs = performance.now() - startMs;
      target.close();
      resolve({ name, messages, wallMs, cpuMs: (cpu.user + cpu.system) / 1_000 });
    });
    send();
  });
}

/** Turns of 64 actors' wakers, each waking itself again. */
function virtualEvents(events: number): Result {
  const scheduler = new VirtualScheduler({ seed: 1, wakeJitterMs: 0.1 });
  let left = events;
  for (let actor = 0; actor < 64; actor += 1) {
    const waker = scheduler.waker('bench', () => {
      left -= 1;
      if (left > 0) waker.wake();
    });
    waker.wake();
  }
  const startMs = performance.now();
  const cpuBefore = process.cpuUsage();
  scheduler.run(Number.MAX_SAFE_INTEGER);
  const cpu = process.cpuUsage(cpuBefore);
  const wallMs = performance.now() - startMs;
  const cpuMs = (cpu.user + cpu.system) / 1_000;
  return { name: 'virtual scheduler, events', messages: events, wallMs, cpuMs };
}

function print(results: readonly Result[]): void {
  const table = new Table({
    head: ['case', 'million/s', 'ns wall each', 'ns CPU each'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { name, messages, wallMs, cpuMs } of results) {
    table.push([
      name,
      (messages / wallMs / 1_000).toFixed(2),
      ((wallMs * 1e6) / messages).toFixed(0),
      ((cpuMs * 1e6) / messages).toFixed(0),
    ]);
  }
  process.stdout.write(`${table.toString()}\n`);
}
