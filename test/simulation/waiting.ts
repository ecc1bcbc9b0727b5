/**
 * Clients that wait for keys (BLPOP), and for entries of a stream as consumers of a group
 * (XREADGROUP), on the real gateways of simulated nodes, while nodes and actors crash and links
 * break; also for keys of two ranges, and of ranges of which each node is a member of some. Checks that no element is taken twice, and that no client
 * sleeps while its key has some.
 */
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { FakeSocket, request } from '../transport/resp/harness.ts';
import { Scenario } from './scenario.ts';
import { SPREAD_GROUPS } from './spread-groups.ts';

/** Each list, and each stream, is of another range where there are two. */
const KEYS = ['q', 'r'] as const;
const STREAMS = ['s', 't'] as const;
const CUT = 8_000;
const NEW = STREAMS.map(() => '>').join(' ');
/** Reads of no new consumer: what is left for the group. */
const LEFT = `XREADGROUP GROUP g last NOACK STREAMS ${STREAMS.join(' ')} ${NEW}`;
const LOAD_MS = 2_500;
const STEP_MS = 5;
const HEALED_MS = 8_000;

interface Worker {
  readonly node: number;
  readonly line: string;
  readonly isForEver: boolean;
  /** Lines of an answer that brings an element, which is the last one. */
  readonly lines: number;
  socket: FakeSocket | undefined;
  /** Bytes of a reply that has not come whole. */
  text: string;
  isAsleep: boolean;
}

interface Outcome {
  readonly violations: readonly string[];
  readonly taken: number;
  readonly faults: number;
}

/** One range, two of all nodes, or five of three nodes each of five. */
export type WaitingMode = 'one range' | 'two ranges' | 'spread ranges';

const TWO_RANGES: readonly GroupDescriptor[] = [1, 2].map((range) => ({
  id: { range, generation: range },
  fromSlot: range === 1 ? 0 : CUT,
  toSlot: range === 1 ? CUT : REDIS_SLOTS,
  members: [1, 2, 3],
  electorate: [1, 2, 3],
  machine: 'keyspace',
}));

class WaitingRun {
  readonly scenario: Scenario;
  readonly violations: string[] = [];
  readonly taken = new Set<string>();
  readonly pushed = new Set<string>();
  readonly workers: Worker[] = [];
  readonly #rng: SeededRng;
  faults = 0;
  #pushes = 0;
  #pusher: FakeSocket | undefined;

  readonly nodes: number;

  constructor(seed: number, mode: WaitingMode) {
    this.#rng = new SeededRng(seed);
    this.nodes = mode === 'spread ranges' ? 5 : 3;
    const profile = { commandTimeoutMs: 2_000, crashAfterCutRate: 0 };
    this.scenario = new Scenario(this.nodes, profile, seed, {
      hasGateways: true,
      ...(mode === 'two ranges' ? { groups: TWO_RANGES } : {}),
      ...(mode === 'spread ranges' ? { groups: SPREAD_GROUPS, forwards: true } : {}),
    });
    // On each node one whose time is soon over, and two that wait for ever.
    for (let i = 0; i < 3 * this.nodes; i += 1) {
      const isForEver = i >= this.nodes;
      const line = isForEver ? `BLPOP ${KEYS.join(' ')} 0` : `BLPOP ${KEYS[i % 2]} 0.7`;
      this.#addWorker(i, line, isForEver, 5);
      const streams = `STREAMS ${STREAMS.join(' ')} ${NEW}`;
      const block = `BLOCK ${isForEver ? 0 : 700} COUNT 1 NOACK ${streams}`;
      this.#addWorker(i, `XREADGROUP GROUP g c${i} ${block}`, isForEver, 13);
    }
  }

  #addWorker(i: number, line: string, isForEver: boolean, lines: number): void {
    const state = { socket: undefined, text: '', isAsleep: false };
    this.workers.push({ node: (i % this.nodes) + 1, line, isForEver, lines, ...state });
  }

  #draw(count: number): number {
    return Math.floor(this.#rng.next() * count);
  }

  attach(node: number): FakeSocket | undefined {
    const { gateway, up } = this.scenario.node(node);
    if (!up || gateway === undefined) return undefined;
    const socket = new FakeSocket(40_000);
    const connection = gateway.attach(socket);
    if (connection === undefined) return undefined;
    this.#inputs.set(socket, (text) => connection.onData(Buffer.from(text, 'latin1')));
    this.#ends.set(socket, () => connection.onClose());
    return socket;
  }

  readonly #inputs = new Map<FakeSocket, (text: string) => void>();
  readonly #ends = new Map<FakeSocket, () => void>();

  send(socket: FakeSocket | undefined, line: string): void {
    if (socket !== undefined) this.#inputs.get(socket)?.(request(line));
  }

  /** Each worker takes what has come, and waits again. */
  work(): void {
    for (const worker of this.workers) {
      const { socket } = worker;
      if (socket === undefined || socket.destroyed || !this.scenario.node(worker.node).up) {
        worker.isAsleep = false;
        worker.socket = this.attach(worker.node);
        worker.text = '';
      } else {
        worker.text += socket.text;
        if (worker.isAsleep && worker.text.endsWith('\r\n')) this.#answered(worker);
      }
      if (worker.isAsleep || worker.socket === undefined) continue;
      worker.isAsleep = true;
      this.send(worker.socket, worker.line);
    }
  }

  #answered(worker: Worker): void {
    // An error, null, or an element with what it is of.
    const lines = worker.text.split('\r\n').slice(0, -1);
    const hasElement = /^\*[12]/.test(worker.text);
    if (hasElement && lines.length < worker.lines) return;
    const isWrong = /^-(?!.*(refused|indeterminate))|CROSSSLOT/.test(worker.text);
    if (isWrong) this.violations.push(worker.text);
    worker.text = '';
    worker.isAsleep = false;
    if (!hasElement) return;
    const item = lines.at(-1) as string;
    if (this.taken.has(item)) this.violations.push(`${item} is taken twice`);
    if (!this.pushed.has(item)) this.violations.push(`${item} was never pushed`);
    this.taken.add(item);
  }

  push(): void {
    const stream = STREAMS[this.#draw(2 * STREAMS.length)];
    const count = stream === undefined ? 1 + this.#draw(3) : 1;
    const items = Array.from({ length: count }, () => {
      this.#pushes += 1;
      return String(this.#pushes);
    });
    for (const item of items) this.pushed.add(item);
    this.#pusher = this.attach(1 + this.#draw(this.nodes)) ?? this.#pusher;
    this.send(
      this.#pusher,
      stream === undefined
        ? `RPUSH ${KEYS[this.#draw(KEYS.length)]} ${items.join(' ')}`
        : `XADD ${stream} * item ${items[0]}`,
    );
  }

  disturb(): void {
    this.faults += 1;
    const node = this.scenario.node(1 + this.#draw(this.nodes));
    const { scheduler, network } = this.scenario.cluster;
    const after = 50 + this.#draw(600);
    switch (this.#draw(4)) {
      case 0:
        if (!node.up) return;
        node.crash();
        scheduler.after(after, () => node.start());
        return;
      case 1:
        this.scenario.isolate(node.id);
        scheduler.after(after, () => network.mend());
        return;
      case 2:
        if (!node.ready) return;
        node.actorCrashes += 1;
        node.node?.system.crash(`node-${node.id}/store-0/executor`, new Error('injected'));
        return;
      default:
        if (!node.ready) return;
        node.actorCrashes += 1;
        node.node?.system.crash(`node-${node.id}/store-0/coordinator`, new Error('injected'));
    }
  }

  run(): Outcome {
    const { scenario } = this;
    const { scheduler } = scenario.cluster;
    for (const stream of STREAMS) {
      this.send(this.attach(1), `XGROUP CREATE ${stream} g $ MKSTREAM`);
    }
    scenario.run(500);
    const untilMs = scheduler.nowMs + LOAD_MS;
    while (scheduler.nowMs < untilMs) {
      this.work();
      if (this.#draw(3) === 0) this.push();
      if (this.#draw(80) === 0) this.disturb();
      scenario.run(STEP_MS);
    }
    scenario.cluster.network.mend();
    for (const node of scenario.cluster.nodes) node.start();
    this.#workFor(HEALED_MS);
    this.#check();
    const { violations, taken, faults } = this;
    return {
      violations: [...scenario.cluster.violations, ...violations],
      taken: taken.size,
      faults,
    };
  }

  #workFor(ms: number): void {
    const { scheduler } = this.scenario.cluster;
    const untilMs = scheduler.nowMs + ms;
    while (scheduler.nowMs < untilMs) {
      this.work();
      this.scenario.run(10 * STEP_MS);
    }
  }

  /** Leaves only clients of one node that have waited since the faults, and brings them elements. */
  #check(): void {
    const survivor = 1 + this.#draw(this.nodes);
    for (const worker of this.workers.splice(0)) {
      if (worker.node === survivor && worker.isForEver) this.workers.push(worker);
      else if (worker.socket !== undefined) this.#ends.get(worker.socket)?.();
    }
    for (const item of ['last0', 'last1', 'last2', 'last3']) this.pushed.add(item);
    // Other nodes are still told to have clients: the element may be for one of those.
    const other = 1 + (survivor % this.nodes);
    const pusher = this.attach(other);
    this.send(pusher, `RPUSH ${KEYS[0]} last0`);
    this.send(pusher, `XADD ${STREAMS[0]} * item last2`);
    this.#workFor(2_000);
    this.#expectEmpty(`LRANGE ${KEYS[0]} 0 -1`);
    this.#expectEmpty(LEFT);
    // Its store forgets who waits.
    const node = this.scenario.node(survivor);
    node.actorCrashes += 1;
    node.node?.system.crash(`node-${survivor}/store-0/executor`, new Error('injected'));
    this.#workFor(2_000);
    const again = this.attach(other);
    this.send(again, `RPUSH ${KEYS[1]} last1`);
    this.send(again, `XADD ${STREAMS[1]} * item last3`);
    this.#workFor(3_000);
    for (const key of KEYS) this.#expectEmpty(`LRANGE ${key} 0 -1`);
    this.#expectEmpty(LEFT);
  }

  #expectEmpty(question: string): void {
    const reader = this.attach(1);
    this.send(reader, question);
    this.scenario.run(1_000);
    const left = reader?.text ?? '';
    if (left === '*0\r\n' || left === '*-1\r\n') return;
    this.violations.push(`clients sleep beside elements (${question}): ${JSON.stringify(left)}`);
  }
}

export function runWaiting(seed: number, mode: WaitingMode): Outcome {
  return new WaitingRun(seed, mode).run();
}

/** So that runs with different seeds have all modes. */
export function waitingMode(seed: number): WaitingMode {
  return (['one range', 'two ranges', 'spread ranges'] as const)[(seed - 1) % 3] ?? 'one range';
}
