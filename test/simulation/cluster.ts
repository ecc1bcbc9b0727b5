/**
 * A whole cluster in one process, in virtual time, under faults that one seed decides: the real
 * nodes on simulated disks, clocks and links. Runs a load, then heals everything, waits for quiet,
 * and checks all histories and the convergence of the replicas.
 */
import { createHash } from 'node:crypto';
import type { SystemFailure } from '../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../actors/runtime/seeded-rng.ts';
import { type History, HistoryRecorder, type Json } from '../verify/history.ts';
import { checkLinearizability } from '../verify/linearizability.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';
import { type Answer, parseReplies, type Reply, unitOf } from './client.ts';
import { drawProfile, type Profile } from './profile.ts';
import { CALM, SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { VirtualScheduler } from './virtual-scheduler.ts';

export interface RunOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Virtual time under load and faults. */
  readonly timeMs: number;
  readonly profile?: Partial<Profile>;
}

export interface RunResult {
  readonly seed: number;
  readonly profile: Profile;
  /** Empty when all is well. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly operations: number;
  readonly virtualMs: number;
  /** Equal for equal seeds: a digest of everything that happened. */
  readonly eventHash: string;
}

const SETTLE_MS = 30_000;

export class SimulatedCluster {
  readonly profile: Profile;
  readonly scheduler: VirtualScheduler;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly counts: Record<string, number> = {};
  readonly violations: string[] = [];
  readonly #seed: number;
  readonly #rng: SeededRng;
  readonly #registers: HistoryRecorder;
  readonly #lists: HistoryRecorder;
  readonly #hash = createHash('sha256');
  #quiet = false;
  #element = 0;
  #process = 0;

  constructor(options: RunOptions) {
    const { seed, nodes } = options;
    this.#seed = seed;
    this.#rng = new SeededRng(seed);
    this.profile = { ...drawProfile(this.#rng.fork(), nodes), ...options.profile };
    this.scheduler = new VirtualScheduler({ seed: Math.floor(this.#rng.next() * 2 ** 32) });
    const now = (): number => this.scheduler.nowMs;
    this.network = new SimNetwork(this.scheduler, now, this.#rng.fork());
    const nowUs = (): number => Math.round(now() * 1_000);
    this.#registers = new HistoryRecorder('redis', nowUs);
    this.#lists = new HistoryRecorder('list-append-txn', nowUs);
    this.network.onSent = (from) => this.#afterSend(from);
    this.#build();
  }

  #build(): void {
    const { profile, scheduler } = this;
    const members = Array.from({ length: profile.nodes }, (_, index) => index + 1);
    for (const nodeId of members) {
      const rng = this.#rng.fork();
      const offsetUs = Math.round((rng.next() - 0.5) * 2_000 * profile.skewMs);
      const driftPpm = (rng.next() - 0.5) * 2 * profile.driftPpm;
      const diskRng = rng.fork();
      this.nodes.push(
        new SimNode({
          nodeId,
          members,
          electorate: members.slice(0, profile.electorate),
          rng,
          network: this.network,
          scope: () => scheduler.scope(),
          clock: scheduler.clockWith({ offsetUs, driftPpm }),
          limits: {
            replica: {},
            coordinator: {},
            batch: { pipelineDepth: profile.pipelineDepth },
            commandTimeoutMs: profile.commandTimeoutMs,
            cacheBytesMax: 1024 * 1024,
            dirtyBytesMax: 64 * 1024,
            flushEveryMs: profile.flushEveryMs,
            tickMs: 20,
          },
          syncPolicy: 'every_batch',
          diskLatencyMs: () => 0.05 + profile.diskMsMax * diskRng.next() ** 2,
          onFailed: (node, failure) => this.#failed(node, failure),
          count: (what) => this.#count(what),
        }),
      );
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #note(what: string): void {
    this.#hash.update(`${this.scheduler.nowMs} ${what}\n`);
  }

  #violation(what: string): void {
    this.violations.push(`at ${this.scheduler.nowMs.toFixed(3)} ms: ${what}`);
  }

  #failed(node: SimNode, failure: SystemFailure): void {
    const { error } = failure;
    const text = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
    this.#violation(`node ${node.id} has failed at ${failure.path}: ${text}`);
  }

  run(timeMs: number): RunResult {
    for (const node of this.nodes) node.start();
    this.scheduler.run(500);
    this.network.weather = this.profile.weather;
    for (let client = 0; client < this.profile.clients; client += 1)
      this.#clientLoop(this.#rng.fork());
    this.#faultLoop(this.#rng.fork());
    const until = this.scheduler.nowMs + timeMs;
    while (this.scheduler.nowMs < until && this.violations.length === 0) {
      this.scheduler.run(Math.min(until, this.scheduler.nowMs + 1_000));
    }
    this.#heal();
    this.#settle();
    this.#readAll();
    this.#check();
    return {
      seed: this.#seed,
      profile: this.profile,
      violations: this.violations,
      counts: this.counts,
      operations: this.#registers.size + this.#lists.size,
      virtualMs: this.scheduler.nowMs,
      eventHash: this.#hash.digest('hex'),
    };
  }

  // ---- clients ----------------------------------------------------------------------------

  #clientLoop(rng: SeededRng): void {
    this.#process += 1;
    // A process whose operation stays open never acts again; a new one takes its place.
    let process = this.#process;
    const next = (): void => {
      if (this.#quiet) return;
      this.scheduler.after(rng.next() * this.profile.thinkMsMax, () => {
        if (this.#quiet) return;
        const node = this.nodes[Math.floor(rng.next() * this.nodes.length)];
        if (node === undefined) return;
        let answered = false;
        const done = (open: boolean): void => {
          if (answered) return;
          answered = true;
          if (open) {
            this.#process += 1;
            process = this.#process;
          }
          next();
        };
        // The node may die with the unit: the client gives up by itself.
        this.scheduler.after(2 * this.profile.commandTimeoutMs, () => done(true));
        if (rng.next() < 0.5) this.#register(node, process, rng, done);
        else this.#transaction(node, process, rng, done);
      });
    };
    next();
  }

  #register(node: SimNode, process: number, rng: SeededRng, done: (open: boolean) => void): void {
    const key = `r${Math.floor(rng.next() * this.profile.keys)}`;
    this.#element += 1;
    const value = String(this.#element);
    const choices: readonly (readonly string[])[] = [
      ['SET', key, value],
      ['GET', key],
      ['GET', key],
      ['INCR', key],
      ['SETNX', key, value],
      ['GETDEL', key],
      ['SET', key, value, 'XX', 'GET'],
    ];
    const words = choices[Math.floor(rng.next() * choices.length)] as readonly string[];
    const [kind, , ...args] = words as [string, string, ...string[]];
    const id = this.#registers.invoke(process, kind, [key], args);
    this.#submit(node, [words], false, (answer) => {
      this.#finish(this.#registers, id, answer, (replies) => replies[0] as Json);
      done(answer.type === 'unknown');
    });
  }

  #transaction(
    node: SimNode,
    process: number,
    rng: SeededRng,
    done: (open: boolean) => void,
  ): void {
    const count = 1 + Math.floor(rng.next() * 4);
    const micros: Json[][] = [];
    const commands: string[][] = [];
    for (let at = 0; at < count; at += 1) {
      const key = `l${Math.floor(rng.next() * this.profile.keys)}`;
      if (rng.next() < 0.5) {
        micros.push(['read', key]);
        commands.push(['GET', key]);
      } else {
        this.#element += 1;
        micros.push(['append', key, this.#element]);
        commands.push(['APPEND', key, `${this.#element},`]);
      }
    }
    const id = this.#lists.invoke(process, 'txn', [], micros);
    this.#submit(node, commands, true, (answer) => {
      this.#finish(this.#lists, id, answer, (replies) => {
        const results = replies[0] as readonly Reply[];
        return micros.map(([type], at) => (type === 'read' ? listOf(results[at]) : null));
      });
      done(answer.type === 'unknown');
    });
  }

  #submit(
    node: SimNode,
    commands: readonly (readonly string[])[],
    exec: boolean,
    answered: (answer: Answer) => void,
  ): void {
    let over = false;
    const once = (answer: Answer): void => {
      if (over) return;
      over = true;
      this.#count(`client ${answer.type}`);
      const reply = answer.type === 'replies' ? answer.bytes.toString('latin1') : answer.type;
      this.#note(`${node.id} ${commands.map((words) => words.join(' ')).join(';')} ${reply}`);
      answered(answer);
    };
    if (!node.submit(unitOf(commands, exec, once))) once({ type: 'refused' });
  }

  #finish(
    recorder: HistoryRecorder,
    id: number,
    answer: Answer,
    result: (replies: Reply[]) => Json,
  ): void {
    if (answer.type === 'replies') recorder.complete(id, result(parseReplies(answer.bytes)));
    else if (answer.type === 'refused') recorder.refuse(id);
    else recorder.unknown(id);
  }

  // ---- faults -----------------------------------------------------------------------------

  #faultLoop(rng: SeededRng): void {
    const { faultEveryMsMax } = this.profile;
    if (faultEveryMsMax === 0) return;
    const next = (): void => {
      this.scheduler.after(faultEveryMsMax * (0.2 + 0.8 * rng.next()), () => {
        if (this.#quiet) return;
        this.#fault(rng);
        next();
      });
    };
    next();
  }

  #fault(rng: SeededRng): void {
    const victim = this.nodes[Math.floor(rng.next() * this.nodes.length)] as SimNode;
    const other = this.nodes[Math.floor(rng.next() * this.nodes.length)] as SimNode;
    const kind = rng.next();
    if (kind < 0.35) this.#crash(victim, rng);
    else if (kind < 0.4) this.#crashAll(rng);
    else if (kind < 0.6) this.#isolate(victim, rng.next() < 0.5, rng);
    else if (kind < 0.75 && victim !== other) {
      this.#count('fault one-way cut');
      this.network.cut(victim.id, other.id);
      this.scheduler.after(200 + 2_000 * rng.next(), () => this.network.mend());
    } else if (kind < 0.9) {
      this.#count('fault slow disk');
      victim.disk.stall();
      this.scheduler.after(1_500 * rng.next(), () => victim.disk.resume());
    } else this.#crashActor(victim, rng);
  }

  #isolate(victim: SimNode, bothWays: boolean, rng: SeededRng): void {
    this.#count('fault partition');
    for (const peer of this.nodes) {
      if (peer === victim) continue;
      this.network.cut(victim.id, peer.id);
      if (bothWays) this.network.cut(peer.id, victim.id);
    }
    this.scheduler.after(200 + 2_500 * rng.next(), () => this.network.mend());
  }

  #crash(node: SimNode, rng: SeededRng): void {
    if (!node.up) return;
    this.#count('fault crash');
    this.#note(`crash ${node.id}`);
    node.crash(this.profile.crashKind);
    this.scheduler.after(20 + 3_000 * rng.next() ** 2, () => {
      if (!node.up) node.start();
    });
  }

  #crashAll(rng: SeededRng): void {
    this.#count('fault crash of all');
    for (const node of this.nodes) this.#crash(node, rng);
  }

  #crashActor(node: SimNode, rng: SeededRng): void {
    const paths = ['wal', 'store-0/replica', 'store-0/executor', 'store-0/coordinator'];
    const path = `node-${node.id}/${paths[Math.floor(rng.next() * paths.length)]}`;
    if (!node.ready) return;
    this.#count('fault actor crash');
    node.node?.system.crash(path, new Error('injected'));
  }

  #afterSend(from: number): void {
    if (this.#quiet || this.#rng.next() >= this.profile.crashAfterSendRate) return;
    const node = this.nodes.find(({ id }) => id === from);
    const down = this.nodes.filter(({ up }) => !up).length;
    if (node === undefined || down >= Math.floor((this.profile.nodes - 1) / 2)) return;
    // Not inside the turn that sends: the process ends between two instructions of its own.
    this.scheduler.after(0, () => this.#crash(node, this.#rng));
  }

  // ---- end and verdict --------------------------------------------------------------------

  #heal(): void {
    this.#quiet = true;
    this.network.weather = CALM;
    this.network.mend();
    for (const node of this.nodes) {
      node.disk.resume();
      if (!node.up) node.start();
    }
  }

  /** After the faults have stopped everything must decide, in bounded time. */
  #settle(): void {
    const until = this.scheduler.nowMs + SETTLE_MS;
    while (this.scheduler.nowMs < until && this.violations.length === 0) {
      this.scheduler.run(this.scheduler.nowMs + 1_000);
      if (this.#converged() === undefined) return;
    }
    const why = this.#converged();
    if (why !== undefined && this.violations.length === 0) this.#violation(why);
  }

  #converged(): string | undefined {
    const digests = this.nodes.map((node) => node.machine?.digest() ?? 'down');
    const [first] = digests;
    if (digests.some((digest) => digest !== first)) return `replicas differ: ${digests.join(' ')}`;
    for (const node of this.nodes) {
      if (!node.ready) return `node ${node.id} is not ready`;
      const { unsettled } = node.watermarks ?? { unsettled: 1 };
      if (unsettled > 0) return `node ${node.id} still has ${unsettled} undecided transactions`;
    }
    return undefined;
  }

  /** Each key once more, from every node: what was acknowledged must be there. */
  #readAll(): void {
    if (this.violations.length > 0) return;
    for (const node of this.nodes) {
      for (let key = 0; key < this.profile.keys; key += 1) {
        this.#process += 2;
        const register = this.#registers.invoke(this.#process, 'GET', [`r${key}`], []);
        const list = this.#lists.invoke(this.#process + 1, 'txn', [], [['read', `l${key}`]]);
        this.#submit(node, [['GET', `r${key}`]], false, (answer) =>
          this.#finish(this.#registers, register, answer, (replies) => replies[0] as Json),
        );
        this.#submit(node, [['GET', `l${key}`]], true, (answer) =>
          this.#finish(this.#lists, list, answer, (replies) => [
            listOf((replies[0] as readonly Reply[])[0]),
          ]),
        );
      }
    }
    this.scheduler.run(this.scheduler.nowMs + 2_000);
    if ((this.counts['client unknown'] ?? 0) === Infinity) this.#violation('no answers');
  }

  histories(): { registers: History; lists: History } {
    return { registers: this.#registers.history(), lists: this.#lists.history() };
  }

  #check(): void {
    if (this.violations.length > 0) return;
    const { registers, lists } = this.histories();
    const perKey = checkLinearizability(registers);
    if (perKey.verdict === 'exhausted') this.#count('check exhausted');
    for (const { key, text } of perKey.violations) this.#violation(`register ${key}: ${text}`);
    const strict = checkStrictSerializability(lists);
    for (const { name, text } of strict.anomalies) this.#violation(`${name}: ${text}`);
  }
}

/** `1,2,3,` as a list of numbers. */
function listOf(reply: Reply | undefined): Json {
  if (typeof reply !== 'string') return [];
  return reply.split(',').filter(Boolean).map(Number);
}

export function simulate(options: RunOptions): RunResult {
  return new SimulatedCluster(options).run(options.timeMs);
}
