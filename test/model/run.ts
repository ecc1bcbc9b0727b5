/** Drives one run of the model from its seed to its end, and judges it. */
import { Changes, META_KEY } from './changes.ts';
import type { Config } from './configs.ts';
import { judge, type ReadOfOne } from './judge.ts';
import type { Node } from './node.ts';
import {
  askData,
  barrier,
  type EphemeralRead,
  hint,
  round,
  snapshot,
  sweep,
  tryRead,
} from './upkeep.ts';
import { APP, type Id, INV, must, STABLE, Violation } from './words.ts';
import { FAULTS_UNTIL, World } from './world.ts';

const EVENTS_MAX = 60_000;
/** With more messages under way, the outcome table is left alone. */
const SWEEP_BELOW = 20;

type Job =
  | {
      readonly type: 'unit';
      readonly unit: number;
      readonly kind: 'w' | 'r';
      readonly keys: string[];
    }
  | { readonly type: 'change' | 'resume' | 'learner' }
  | { readonly type: 'read'; readonly unit: number; readonly key: string };

export interface RunResult {
  readonly violation: string | undefined;
  readonly isFinished: boolean;
  readonly counts: ReadonlyMap<string, number>;
  readonly events: number;
}

export class Run {
  readonly world: World;
  readonly changes: Changes;
  readonly #jobs: Job[] = [];
  readonly #reads = new Map<number, ReadOfOne>();
  #waiting: EphemeralRead[] = [];
  readonly #pace: number;
  readonly #recoveries: number;
  readonly #forgetting: number;
  readonly #restarts: number;
  #lateResumes = 6;

  constructor(seed: number, config: Config, mutants: ReadonlySet<string>) {
    const world = new World(seed, config, mutants);
    this.world = world;
    this.changes = new Changes(world);
    const { dice } = world;
    const { bias } = config;
    this.#recoveries =
      { loss: dice.pick([0.005, 0.02]), tear: dice.pick([0.002, 0.005]) }[bias as string] ??
      (bias === 'reads' ? 0.06 : dice.pick([0.01, 0.03, 0.06]));
    this.#pace =
      bias === 'reads' ? 0.01 : dice.pick(bias === 'tear' ? [0.01, 0.03] : [0.01, 0.03, 0.1, 0.3]);
    this.#forgetting =
      { loss: dice.pick([0.03, 0.08]), tear: dice.pick([0.05, 0.2]), reads: 0.001 }[
        bias as string
      ] ?? dice.pick([0.002, 0.01, 0.04]);
    this.#restarts = config.restarts === true ? dice.pick([0.0005, 0.002, 0.005]) : 0;
    this.#plan();
    this.#planAway();
  }

  #unit(kind: 'w' | 'r', keys: string[]): Job {
    return { type: 'unit', unit: this.world.newUnit(), kind, keys };
  }

  #plan(): void {
    const { dice, config, roots } = this.world;
    const { bias } = config;
    const keys = roots.flatMap((group) => group.keys).filter((key) => key !== META_KEY);
    const jobs = this.#jobs;
    const widths = bias === undefined ? [1, 1, 2, 2, 3] : [1, 2, 3, 4];
    const units = dice.pick([3, 4, 5, 6]);
    for (let i = 0; i < units; i += 1) {
      const kind = dice.pick(['w', 'w', 'w', 'r'] as const);
      jobs.push(this.#unit(kind, dice.sample(keys, dice.pick(widths))));
    }
    const changes = dice.pick([1, 2, 3, 5]);
    for (let i = 0; i < changes; i += 1) {
      jobs.push({ type: 'change' });
      if (config.meta === true) jobs.push({ type: 'resume' });
      if (config.learners === true) jobs.unshift({ type: 'learner' });
    }
    const reads = dice.pick([0, 1, 2, 3]);
    const read = (): Job => ({ type: 'read', unit: this.world.newUnit(), key: dice.pick(keys) });
    for (let i = 0; i < reads; i += 1) jobs.push(read());
    dice.shuffle(jobs);
    if (bias === 'tear') {
      const [a, b] = roots.map((group) => group.keys);
      const both = (): Job => this.#unit('w', [dice.pick(must(a)), dice.pick(must(b))]);
      jobs.splice(0, jobs.length, both(), both(), { type: 'change' }, ...jobs.slice(0, 3));
    } else if (bias === 'owed') {
      const key = dice.pick(keys);
      const writes = Array.from({ length: 7 }, () => this.#unit('w', [key]));
      jobs.splice(0, jobs.length, { type: 'change' }, ...writes);
    } else if (bias === 'reads') {
      const some = jobs.filter(({ type }) => type === 'unit').slice(0, 3);
      const one = (): Job => this.#unit('w', [dice.pick(keys)]);
      const four = [read(), read(), read(), read()];
      jobs.splice(0, jobs.length, { type: 'change' }, ...some, one(), one(), ...four);
    }
  }

  #planAway(): void {
    const { world } = this;
    const { dice, config, ids } = world;
    const leave = (node: number): void => {
      const from = dice.int(50, 900);
      world.away.push({ node, from, to: from + dice.pick([300, 900, 2000]) });
    };
    if (config.bias === 'dead') {
      world.dead = dice.pick(ids);
      const from = dice.int(50, 900);
      world.away = [{ node: world.dead, from, to: Number.POSITIVE_INFINITY }];
    } else if (config.bias === 'owed') {
      world.away = [{ node: dice.pick(ids), from: dice.int(10, 90), to: 2_400 }];
    } else if (config.away !== undefined) {
      for (const node of dice.sample(ids, dice.int(1, config.away + 1))) leave(node);
    } else if (dice.chance(0.45)) leave(dice.pick(ids));
  }

  run(eventsMax = EVENTS_MAX): RunResult {
    const { world } = this;
    let violation: string | undefined;
    try {
      while (world.event < eventsMax && this.#step());
      judge(world, this.changes, this.#reads, this.#isDone());
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error.message;
    }
    const isFinished = violation !== undefined || this.#isDone();
    return { violation, isFinished, counts: world.counts, events: world.event };
  }

  /** One event; false when the run is over. */
  #step(): boolean {
    const { world } = this;
    const { dice } = world;
    world.event += 1;
    world.now += 1;
    if (world.event === FAULTS_UNTIL + 1) for (const node of world.nodes.values()) world.sync(node);
    if (this.#jobs.length > 0 && dice.chance(world.isLate ? 0.3 : this.#pace)) {
      this.#do(must(this.#jobs.shift()));
      return true;
    }
    this.#upkeep();
    this.#recoverSome();
    if (this.#waiting.length > 0) this.#tryReads();
    if (world.flights.length > 0) world.deliverOne();
    else if (this.#isDone()) return false;
    return true;
  }

  #do(job: Job): void {
    const { world } = this;
    const { dice, ids } = world;
    const node = dice.pick(ids.filter((id) => !world.isDead(id)));
    switch (job.type) {
      case 'unit':
        return world.submit(job.unit, job.kind, job.keys, node);
      case 'change':
        if (!this.changes.begin(node) && !world.isLate) this.#jobs.push(job);
        return;
      case 'resume':
        return this.changes.resume(node);
      case 'learner':
        return this.#addLearner();
      case 'read':
        return this.#read(job.unit, job.key);
    }
  }

  #addLearner(): void {
    const { world } = this;
    const group = world.group(world.dice.pick(this.#leaves()));
    const others = world.ids.filter((id) => !group.members.includes(id));
    if (others.length === 0) return;
    const node = world.dice.pick(others);
    const known = world.learnersOf.get(group.gid) ?? new Set();
    world.learnersOf.set(group.gid, known.add(node));
    world.count('learners');
    world.node(node).receive(group.gid, { type: 'Learn' });
  }

  #read(unit: number, key: string): void {
    const { world } = this;
    const { dice, config } = world;
    const known = this.#reads.get(unit);
    if (known === undefined) {
      this.#reads.set(unit, { key, submitted: world.now, acknowledged: null, value: [] });
    }
    const entry = dice.pick(world.ids.filter((id) => !world.isDead(id)));
    const gid = world.route(world.node(entry), key, config.bias === 'reads' ? 0.8 : 0.35);
    const members = world.group(gid).members.filter((member) => !world.isDead(member));
    const node = members.includes(entry) ? entry : dice.pick(members);
    world.count('reads');
    const again = (): void => this.#again(unit, key);
    const onDeps = (ids: readonly Id[], mark: Id): void => {
      this.#waiting.push({ unit, key, node, gid, ids, mark });
    };
    world.run(barrier(world, { key, gid }, onDeps, again), node, null);
  }

  #again(unit: number, key: string): void {
    this.world.count('bounces');
    this.#jobs.push({ type: 'read', unit, key });
  }

  #tryReads(): void {
    const { world } = this;
    this.#waiting = this.#waiting.filter((read) => {
      const value = tryRead(world, read);
      const mayRepeat = !world.mutants.has('eph_no_retry') && world.dice.chance(0.003);
      if (value === 'again' || (value === undefined && mayRepeat)) {
        this.#again(read.unit, read.key);
        return false;
      }
      if (value === undefined) return true;
      const { key, submitted } = must(this.#reads.get(read.unit));
      this.#reads.set(read.unit, { key, submitted, acknowledged: world.now, value });
      return false;
    });
  }

  #upkeep(): void {
    const { world } = this;
    const { dice, config } = world;
    if (dice.chance(this.#forgetting)) this.#forgetOrSweep();
    if (dice.chance(world.isLate ? 0.06 : 0.01)) snapshot(world);
    if (dice.chance(world.isLate ? 0.1 : 0.03)) this.#askData();
    if (config.rounds === true) this.#rounds();
    if (config.restarts === true && !world.isLate) {
      const node = world.node(dice.pick(world.ids));
      if (dice.chance(this.#restarts)) this.#crash(node);
      else if (dice.chance(0.1)) world.sync(node);
    }
    const isMeta = config.meta === true && world.isLate;
    if (isMeta && this.#lateResumes > 0 && dice.chance(0.002)) {
      this.#lateResumes -= 1;
      this.changes.resume(dice.pick(world.ids));
    }
  }

  #crash(node: Node): void {
    this.world.crash(node);
    for (const read of this.#waiting) {
      if (read.node === node.id) this.#again(read.unit, read.key);
    }
    this.#waiting = this.#waiting.filter((read) => read.node !== node.id);
  }

  #rounds(): void {
    const { world } = this;
    const { dice } = world;
    if (dice.chance(0.02)) {
      const node = world.node(dice.pick(world.ids));
      const live = [...node.replicas.values()].filter(({ ended }) => ended === null);
      if (live.length > 0) hint(world, dice.pick(live));
    }
    const pace = world.config.bias === 'owed' ? 0.03 : 0.008;
    if (dice.chance(world.isLate ? 0.001 : pace)) {
      const gid = dice.pick(this.#leaves());
      const { members } = world.group(gid);
      const node = dice.pick(members.filter((member) => !world.isDead(member)));
      world.run(round(world, this.changes, gid, node), node, null);
    }
  }

  #askData(): void {
    const { world, changes } = this;
    const open = [...world.groups.values()].filter(
      ({ gid, floor, members }) => floor !== null && changes.withData(gid).size < members.length,
    );
    if (open.length === 0) return;
    const { gid } = world.dice.pick(open);
    world.run(askData(world, changes, gid), world.dice.pick(world.ids), null);
  }

  #forgetOrSweep(): void {
    const { world } = this;
    const { dice, mutants } = world;
    const node = world.node(dice.pick(world.ids));
    const forgettable = [...node.replicas]
      .filter(([gid, replica]) => {
        if (mutants.has('forget_early')) {
          const isClosing = [...replica.commands.values()].some(
            ({ body, status }) => body?.kind === 'C' && status >= STABLE && status <= APP,
          );
          if (isClosing) return true;
        }
        if (replica.ended === null || replica.skipped) return false;
        return mutants.has('forget_no_succ') || this.#successorsHaveData(gid);
      })
      .map(([gid]) => gid);
    if (forgettable.length > 0 && dice.chance(0.7)) {
      const gid = dice.pick(forgettable);
      world.count('forgotten');
      node.receive(gid, { type: 'Forget' });
      if (!mutants.has('no_table')) return;
      for (const t of [...node.table.keys()]) {
        if (world.body(t).parts.has(gid)) node.receive(0, { type: 'Drop', t });
      }
    } else if (node.table.size > 0) {
      const t = dice.pick([...node.table.keys()].sort((p, q) => p - q));
      if (mutants.has('table_timeout')) node.receive(0, { type: 'Drop', t });
      else if (world.flights.length < SWEEP_BELOW) {
        world.run(sweep(world, node.id, t), node.id, null);
      }
    }
  }

  /** Every successor's data are at a quorum of its members. */
  #successorsHaveData(gid: number): boolean {
    const close = this.world.closedBy.get(gid);
    if (close === undefined) return true;
    const { successors } = this.world.body(close);
    return successors.every((next) => this.changes.hasDataAtQuorum(next));
  }

  #recoverSome(): void {
    const { world } = this;
    const { dice } = world;
    if (world.bodies.size === 0) return;
    if (!dice.chance(this.#recoveries * (world.isLate ? 2 : 1))) return;
    const pending = this.#pending(world.isLate && dice.chance(0.5));
    if (pending.length === 0) return;
    const wanted = pending.filter((t) => world.wanted.has(t));
    const from = wanted.length > 0 && dice.chance(0.8) ? wanted : pending;
    const t = dice.pick(from);
    world.wanted.delete(t);
    if (world.isLate && world.isCoordinated(t) && !dice.chance(0.1)) return;
    const nodes = world.ids.filter((id) => !world.isDead(id) && this.#mayRecover(id, t));
    if (nodes.length > 0) world.recover(t, dice.pick(nodes));
  }

  /** Any node may; the mutant allows only members of the transaction's first group. */
  #mayRecover(id: number, t: Id): boolean {
    const { mutants } = this.world;
    if (mutants.has('stable_is_final') && this.world.executeAts.has(t)) return false;
    if (!mutants.has('home_only')) return true;
    const home = Math.min(...this.world.body(t).parts.keys());
    return this.world.group(home).members.includes(id) && this.world.node(id).replicas.has(home);
  }

  /** Groups that are open. */
  #leaves(): number[] {
    const { world } = this;
    const leaves: number[] = [];
    const seen = new Set<number>();
    const stack = world.roots.map(({ gid }) => gid);
    while (stack.length > 0) {
      const gid = must(stack.pop());
      if (seen.has(gid)) continue;
      seen.add(gid);
      const close = world.closedBy.get(gid);
      if (close === undefined) leaves.push(gid);
      else stack.push(...world.body(close).successors);
    }
    return leaves;
  }

  /** Transactions that some member has not settled yet. */
  #pending(inLeavesOnly: boolean): Id[] {
    const { world } = this;
    const leaves = inLeavesOnly ? new Set(this.#leaves()) : undefined;
    const isOpen = (t: Id, gid: number): boolean =>
      world.group(gid).members.some((member) => {
        const node = world.node(member);
        if (member === world.dead || node.forgotten.has(gid)) return false;
        const replica = node.replicas.get(gid);
        if (replica === undefined) return true;
        if (replica.ended !== null || replica.isTruncated(t)) return false;
        const status = replica.commands.get(t)?.status;
        return status !== APP && status !== INV;
      });
    return [...world.bodies].flatMap(([t, { parts }]) => {
      const groups = [...parts.keys()].filter((gid) => leaves?.has(gid) ?? true);
      return groups.some((gid) => isOpen(t, gid)) ? [t] : [];
    });
  }

  #isDone(): boolean {
    const { world } = this;
    if (this.#jobs.length > 0 || this.#waiting.length > 0) return false;
    for (const gid of this.#leaves()) {
      for (const member of world.group(gid).members) {
        if (member === world.dead) continue;
        const replica = world.replicaOf(gid, member);
        if (replica === undefined || !replica.isReady || replica.ended !== null) return false;
      }
    }
    return this.#pending(true).length === 0;
  }
}
