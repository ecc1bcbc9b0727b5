/**
 * Clients that keep what they have read (CLIENT TRACKING), on the real gateways of simulated nodes,
 * while nodes and actors crash and links break. No client keeps a value that is older than one that
 * its node has served since.
 */
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { parseReply } from '../storage/differential/replies.ts';
import { FakeSocket, request } from '../transport/resp/harness.ts';
import { Scenario } from './scenario.ts';

const NODES = 3;
const KEYS = ['a:1', 'a:2', 'b:1'];
const MODES = ['', 'BCAST PREFIX a PREFIX b', 'OPTIN', 'OPTOUT NOLOOP'];
const LOAD_MS = 1_500;
const STEP_MS = 4;
const HEALED_MS = 2_500;

interface Asked {
  /** The keys in the order of their replies; none: the reply says nothing of a key. */
  readonly keys: readonly string[];
  readonly isBlock: boolean;
}

class CachingClient {
  readonly node: number;
  /** `undefined`: it keeps nothing, and only reads and writes. */
  readonly mode: string | undefined;
  readonly cache = new Map<string, number>();
  socket: FakeSocket | undefined;
  text = '';
  asked: Asked[] = [];

  constructor(node: number, mode: string | undefined) {
    this.node = node;
    this.mode = mode;
  }
}

export interface TrackingOutcome {
  readonly violations: readonly string[];
  readonly invalidations: number;
  readonly hits: number;
  readonly faults: number;
}

class TrackingRun {
  readonly scenario: Scenario;
  readonly violations: string[] = [];
  readonly clients: CachingClient[] = [];
  /** The highest value of each key in a reply of each node. */
  readonly served = new Map<string, number>();
  readonly #rng: SeededRng;
  readonly #inputs = new Map<FakeSocket, (text: string) => void>();
  invalidations = 0;
  hits = 0;
  faults = 0;

  constructor(seed: number) {
    this.#rng = new SeededRng(seed);
    this.scenario = new Scenario(NODES, { commandTimeoutMs: 2_000, crashAfterCutRate: 0 }, seed, {
      hasGateways: true,
    });
    for (let node = 1; node <= NODES; node += 1) {
      for (const mode of [...MODES, undefined]) this.clients.push(new CachingClient(node, mode));
    }
  }

  run(): TrackingOutcome {
    const { scenario } = this;
    const { scheduler, network } = scenario.cluster;
    const untilMs = scheduler.nowMs + LOAD_MS;
    while (scheduler.nowMs < untilMs) {
      this.#step();
      if (this.#draw(80) === 0) this.#disturb();
    }
    network.mend();
    for (const node of scenario.cluster.nodes) node.start();
    const healedMs = scheduler.nowMs + HEALED_MS;
    while (scheduler.nowMs < healedMs) this.#step(20 * STEP_MS);
    const { violations, invalidations, hits, faults } = this;
    return {
      violations: [...scenario.cluster.violations, ...violations],
      ...{ invalidations, hits, faults },
    };
  }

  #step(ms = STEP_MS): void {
    for (const client of this.clients) this.#work(client);
    this.scenario.run(ms);
    for (const client of this.clients) this.#hear(client);
    for (const client of this.clients) this.#check(client);
  }

  #draw(count: number): number {
    return Math.floor(this.#rng.next() * count);
  }

  #work(client: CachingClient): void {
    const { socket, node } = client;
    if (socket === undefined || socket.destroyed || !this.scenario.node(node).up) {
      return this.#connect(client);
    }
    if (client.asked.length > 0 || this.#draw(6) > 0) return;
    const keys = KEYS.filter(() => this.#draw(2) === 0);
    if (client.mode === undefined && this.#draw(2) === 0) {
      for (const key of keys) this.#ask(client, `INCR ${key}`, [key]);
      return;
    }
    if (client.mode === 'OPTIN') this.#ask(client, 'CLIENT CACHING YES', []);
    if (this.#draw(2) === 0) {
      this.#ask(client, `MGET ${KEYS.join(' ')}`, KEYS, true);
      return;
    }
    if (client.mode === 'OPTIN') keys.length = Math.min(keys.length, 1);
    for (const key of keys) this.#ask(client, `GET ${key}`, [key]);
  }

  #connect(client: CachingClient): void {
    client.cache.clear();
    client.asked = [];
    client.text = '';
    client.socket = undefined;
    const { gateway, up } = this.scenario.node(client.node);
    if (!up || gateway === undefined) return;
    const socket = new FakeSocket(40_000);
    const connection = gateway.attach(socket);
    if (connection === undefined) return;
    this.#inputs.set(socket, (text) => connection.onData(Buffer.from(text, 'latin1')));
    client.socket = socket;
    this.#ask(client, 'HELLO 3', []);
    if (client.mode !== undefined) this.#ask(client, `CLIENT TRACKING ON ${client.mode}`, []);
  }

  #ask(client: CachingClient, line: string, keys: readonly string[], isBlock = false): void {
    if (client.socket === undefined) return;
    client.asked.push({ keys, isBlock });
    this.#inputs.get(client.socket)?.(request(line.trim()));
  }

  #hear(client: CachingClient): void {
    client.text += client.socket?.text ?? '';
    for (;;) {
      const parsed = parseReply(client.text, 0);
      if (parsed === undefined) return;
      const isPush = client.text.startsWith('>');
      client.text = client.text.slice(parsed.end);
      if (isPush) this.#invalidated(client, parsed.value);
      else this.#answered(client, client.asked.shift(), parsed.value);
    }
  }

  #invalidated(client: CachingClient, value: unknown): void {
    this.invalidations += 1;
    const [, keys] = value as [string, string[] | null];
    if (keys === null) client.cache.clear();
    for (const key of keys ?? []) client.cache.delete(key);
  }

  #answered(client: CachingClient, asked: Asked | undefined, value: unknown): void {
    if (asked === undefined) return;
    const values = asked.isBlock && Array.isArray(value) ? value : [value];
    for (const [i, key] of asked.keys.entries()) {
      const number = Number(values[i]);
      if (values[i] === null || !Number.isFinite(number)) continue;
      const name = `${client.node} ${key}`;
      this.served.set(name, Math.max(number, this.served.get(name) ?? 0));
      if (client.mode !== undefined) client.cache.set(key, number);
    }
  }

  #check({ node, mode, cache, socket }: CachingClient): void {
    if (socket === undefined || socket.destroyed) return;
    for (const [key, value] of cache) {
      this.hits += 1;
      const served = this.served.get(`${node} ${key}`) ?? 0;
      if (value >= served) continue;
      const what = `keeps ${value} of ${key}, while its node has served ${served}`;
      this.violations.push(`a client of node ${node} (${mode}) ${what}`);
      cache.delete(key);
    }
  }

  #disturb(): void {
    this.faults += 1;
    const node = this.scenario.node(1 + this.#draw(NODES));
    const { scheduler, network } = this.scenario.cluster;
    const after = 50 + this.#draw(600);
    const kind = this.#draw(4);
    if (kind === 0 && node.up) {
      node.crash();
      scheduler.after(after, () => node.start());
    } else if (kind === 1) {
      this.scenario.isolate(node.id);
      scheduler.after(after, () => network.mend());
    } else if (kind > 1 && node.ready) {
      node.actorCrashes += 1;
      const actor = kind === 2 ? 'executor' : 'coordinator';
      node.node?.system.crash(`node-${node.id}/store-0/${actor}`, new Error('injected'));
    }
  }
}

export function runTracking(seed: number): TrackingOutcome {
  return new TrackingRun(seed).run();
}
