/**
 * One run of the model: nodes, messages under way, coordinators, and what the run has seen so far.
 * Delivers in random order, loses and repeats, lets coordinators die in the middle of a send and
 * nodes restart without the tail of their log.
 */
import type { Config } from './configs.ts';
import {
  type Answers,
  type Coordination,
  coordinate,
  type Step,
  type Task,
  type Verdict,
} from './coordination.ts';
import { Dice } from './dice.ts';
import { Node } from './node.ts';
import { recover } from './recovery.ts';
import type { Command, Replica } from './replica.ts';
import {
  type Answer,
  type Body,
  Group,
  groupOf,
  type Id,
  type Message,
  must,
  nodeOf,
  type Outcome,
  place,
  Violation,
  ZERO,
} from './words.ts';

/** Until this many events there are faults; then the net is whole and recoveries go on. */
export const FAULTS_UNTIL = 2_500;
const RESUBMITS_MAX = 6;
const TASKS_MAX = 400;

interface Coordinator {
  readonly node: number;
  readonly t: Id | null;
  readonly steps: Coordination;
  isAlive: boolean;
  round: number;
  answers: Map<number, Answer>;
  stop: Step['stop'];
}

interface Flight {
  due: number;
  /** The round that is answered, or 0. */
  readonly round: number;
  readonly at: number;
  readonly message: Message | null;
  readonly answer: Answer | null;
}

export interface Unit {
  readonly kind: 'w' | 'r';
  readonly keys: readonly string[];
  readonly submitted: number;
  acknowledged: number | null;
  by: Id | null;
  readonly tries: Id[];
  readonly onDone: ((result: string, t: Id) => void) | null;
}

interface Waiter {
  readonly replica: Replica;
  readonly command: Command;
  readonly round: number;
}

interface Held {
  readonly at: number;
  readonly round: number;
  readonly from: number;
  readonly answer: Answer;
}

export class World {
  readonly config: Config;
  readonly mutants: ReadonlySet<string>;
  readonly dice: Dice;
  readonly ids: readonly number[];
  readonly nodes = new Map<number, Node>();
  readonly skew = new Map<number, number>();
  readonly roots: Group[] = [];
  readonly groups = new Map<number, Group>();
  readonly units = new Map<number, Unit>();
  readonly wanted = new Set<Id>();
  readonly executeAts = new Map<Id, Id>();
  /** By group: the Close that had its effect; and by successor, the one that made it. */
  readonly closedBy = new Map<number, Id>();
  readonly births = new Map<number, Id>();
  readonly outcomes = new Map<Id, Outcome>();
  readonly results = new Map<Id, string>();
  readonly learnersOf = new Map<number, Set<number>>();
  readonly counts = new Map<string, number>();
  readonly bodies = new Map<Id, Body>();
  readonly crashChance: number;
  readonly lossChance: number;
  readonly syncChance: number;
  now = 10;
  event = 0;
  dead = 0;
  away: { readonly node: number; readonly from: number; readonly to: number }[] = [];
  readonly flights: Flight[] = [];
  #groupIds = 0;
  #rounds = 0;
  #unitIds = 0;
  readonly #coordinators = new Map<number, Coordinator>();
  #all: Coordinator[] = [];
  readonly #effectOf = new Map<number, Id>();
  readonly #ballots = new Map<Id, Id>();
  readonly #givenUp = new Set<Id>();
  readonly #waiters = new Map<number, Waiter[]>();
  readonly #held = new Map<number, Held[]>();

  constructor(seed: number, config: Config, mutants: ReadonlySet<string>) {
    this.config = config;
    this.mutants = mutants;
    this.dice = new Dice(seed);
    const { dice } = this;
    const { bias } = config;
    this.lossChance = bias === 'loss' ? 0.1 : bias === 'reads' ? 0.02 : 0.05;
    const crash = dice.pick([0.05, 0.15, 0.25]);
    const biased = bias === 'loss' ? dice.pick([0.15, 0.3]) : bias === 'tear' ? 0.1 : 0.05;
    this.crashChance = bias === undefined || bias === 'dead' ? crash : biased;
    this.syncChance = config.restarts === true ? dice.pick([1, 0.7, 0.3]) : 1;
    this.ids = Array.from({ length: config.nodes }, (_, i) => i + 1);
    for (const id of this.ids) {
      this.skew.set(id, dice.pick([0, 0, 10, 30, 60, -8, 200]));
      this.nodes.set(id, new Node(this, id));
    }
    for (const { keys, members, electorate } of config.groups) {
      this.roots.push(this.newGroup(1, [...keys], members, electorate, ZERO, []));
    }
    for (const node of this.nodes.values()) node.boot();
  }

  node(id: number): Node {
    return must(this.nodes.get(id));
  }

  group(gid: number): Group {
    return must(this.groups.get(gid));
  }

  body(t: Id): Body {
    return must(this.bodies.get(t));
  }

  replicaOf(gid: number, node: number): Replica | undefined {
    return this.node(node).replicas.get(gid);
  }

  get isLate(): boolean {
    return this.event > FAULTS_UNTIL;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  newGroup(
    generation: number,
    keys: readonly string[],
    members: readonly number[],
    electorate: readonly number[],
    floor: Id | null,
    parents: readonly number[],
  ): Group {
    this.#groupIds += 1;
    const id = this.#groupIds;
    const group = new Group(id, generation, keys, members, electorate, floor, parents);
    this.groups.set(id, group);
    return group;
  }

  newUnit(): number {
    this.#unitIds += 1;
    return this.#unitIds;
  }

  newBallot(t: Id, node: number): Id {
    const ballot = this.node(node).uniqueNow(this.#ballots.get(t) ?? ZERO);
    this.#ballots.set(t, ballot);
    return ballot;
  }

  members(groups: Iterable<number>): number[] {
    return [...groups].flatMap((gid) => this.group(gid).members.map((node) => place(gid, node)));
  }

  learners(groups: Iterable<number>): number[] {
    return [...groups].flatMap((gid) =>
      [...(this.learnersOf.get(gid) ?? [])].map((node) => place(gid, node)),
    );
  }

  /** Erased records are missing at this node: it has to take a snapshot. */
  noteErased(node: number, answers: Answers): void {
    for (const [at, { erased }] of answers) {
      const replica = this.replicaOf(groupOf(at), node);
      if (erased !== undefined && replica !== undefined) {
        replica.behind = Math.max(replica.behind, erased);
      }
    }
  }

  // Events of the nodes, checked against everything seen before.

  onDecided(t: Id, executeAt: Id): void {
    const known = this.executeAts.get(t);
    if (known === undefined) this.executeAts.set(t, executeAt);
    else if (known !== executeAt) throw new Violation(`two executeAts of ${t}`);
  }

  onClosed(gid: number, close: Id): void {
    const known = this.closedBy.get(gid);
    if (known === undefined) {
      this.closedBy.set(gid, close);
      this.count('closed');
    } else if (known !== close) throw new Violation(`two Closes of group ${gid} had their effect`);
  }

  onApplied({ id, outcome, result }: Command, b: Body): void {
    if (outcome === null) return;
    const known = this.outcomes.get(id);
    if (known === undefined) this.outcomes.set(id, outcome);
    else if (known !== outcome) throw new Violation(`torn: ${id} is both effective and moved`);
    if (outcome === 'moved') return this.count('moved');
    if (b.kind === 'C') return;
    const first = this.#effectOf.get(b.unit) ?? id;
    this.#effectOf.set(b.unit, first);
    if (first !== id) throw new Violation(`unit ${b.unit} had its effect twice: ${first}, ${id}`);
    if (!b.isMulti) this.#noteResult(id, b, result);
  }

  #noteResult(t: Id, b: Body, result: string | null): void {
    if (result === null || b.kind === 'C') return;
    const known = this.results.get(t);
    if (known === undefined) this.results.set(t, result);
    else if (known !== result) throw new Violation(`two results of ${t}: ${known} and ${result}`);
  }

  /** A coordinator knows the result, and answers the client. */
  onResult({ t, b }: Task, result: string | null): void {
    this.#noteResult(t, b, result);
    if (b.kind === 'C' || result === null) return;
    const unit = must(this.units.get(b.unit));
    if (unit.acknowledged === null) {
      unit.acknowledged = this.now;
      unit.by = t;
      unit.onDone?.(result, t);
    } else if (unit.by !== t) {
      throw new Violation(`unit ${b.unit} was answered by two transactions`);
    }
  }

  onGivenUp(t: Id): void {
    this.#givenUp.add(t);
  }

  wasGivenUp(t: Id): boolean {
    return this.#givenUp.has(t);
  }

  // Clients.

  submit(
    id: number,
    kind: 'w' | 'r',
    keys: readonly string[],
    node: number,
    onDone: Unit['onDone'] = null,
  ): void {
    const at = this.node(node);
    const parts = new Map<number, string[]>();
    for (const key of keys) {
      const gid = this.route(at, key, 0.12);
      parts.set(gid, [...(parts.get(gid) ?? []), key]);
    }
    const floor = Math.max(...[...parts.keys()].map((gid) => this.group(gid).floorTime));
    const t = at.uniqueNow(this.dice.chance(0.7) ? floor : ZERO);
    const isMulti = parts.size > 1;
    const b: Body = { kind, parts, unit: id, successors: [], isMulti };
    this.bodies.set(t, b);
    let unit = this.units.get(id);
    if (unit === undefined) {
      const submitted = this.now;
      unit = { kind, keys, submitted, acknowledged: null, by: null, tries: [], onDone };
      this.units.set(id, unit);
    }
    unit.tries.push(t);
    if (isMulti) this.count('multi');
    this.run(coordinate(this, { t, b, isOriginal: true, node }), node, t);
  }

  /** The group of a key as the node knows it, now and then as stale as can be. */
  route(node: Node, key: string, staleChance: number): number {
    const known = must(node.view.get(key));
    if (this.isLate || !this.dice.chance(staleChance)) return known;
    const { generation } = this.group(known);
    const stale = [...this.groups.values()].filter(
      (group) => group.keys.includes(key) && group.floor !== null && group.generation <= generation,
    );
    return this.dice.pick(stale).gid;
  }

  resubmit({ t, b, node }: Task): void {
    if (b.kind === 'C') return;
    const unit = must(this.units.get(b.unit));
    if (unit.tries.at(-1) !== t || unit.tries.length > RESUBMITS_MAX) return;
    this.count('resubmitted');
    this.submit(b.unit, b.kind, unit.keys, node);
  }

  propose(b: Body, atLeast: Id, node: number): Id {
    const t = this.node(node).uniqueNow(atLeast);
    this.bodies.set(t, b);
    this.run(coordinate(this, { t, b, isOriginal: true, node }), node, t);
    return t;
  }

  recover(t: Id, node: number): void {
    const task = { t, b: this.body(t), isOriginal: false, node };
    this.run(recover(this, task), node, t);
  }

  isCoordinated(t: Id): boolean {
    return this.#all.some((each) => each.isAlive && each.t === t);
  }

  // Messages.

  run(steps: Coordination, node: number, t: Id | null): void {
    const each: Coordinator = {
      ...{ node, t, steps, isAlive: true, round: 0, answers: new Map() },
      stop: () => undefined,
    };
    this.#all.push(each);
    this.#advance(each, undefined);
  }

  #advance(each: Coordinator, verdict: Verdict | undefined): void {
    const { done, value } = verdict === undefined ? each.steps.next() : each.steps.next(verdict);
    if (done === true || value === undefined) {
      each.isAlive = false;
      return;
    }
    this.#rounds += 1;
    each.round = this.#rounds;
    each.answers = new Map();
    each.stop = value.stop;
    this.#coordinators.set(each.round, each);
    const targets = this.#mayDie(each, value);
    for (const at of targets) {
      this.flights.push({
        ...{ due: this.#delay(), round: each.round, at, message: value.message, answer: null },
      });
    }
  }

  /** A coordinator may die in the middle of its send; what is left of the targets. */
  #mayDie(each: Coordinator, { targets, message }: Step): readonly number[] {
    const { dice } = this;
    if (this.isLate || targets.length === 0) return targets;
    let left = targets;
    let dies = dice.chance(this.crashChance);
    if (dies && dice.chance(0.6)) {
      const first = groupOf(targets[0] as number);
      left = dice.chance(0.5)
        ? targets.filter((at) => groupOf(at) === first)
        : dice.sample(targets, dice.int(0, targets.length + 1));
    }
    if (this.config.bias === 'tear' && message.type === 'Apply' && dice.chance(0.7)) {
      dies = true;
      const one = groupOf(dice.pick(targets));
      left = targets.filter((at) => groupOf(at) === one);
    }
    if (dies) each.isAlive = false;
    return left;
  }

  #delay(): number {
    const { dice } = this;
    const x = dice.next();
    if (this.now > FAULTS_UNTIL + 500) return this.now;
    const wait = x < 0.62 ? dice.int(0, 4) : x < 0.85 ? dice.int(20, 70) : dice.int(90, 400);
    return this.now + wait;
  }

  /** A message that no coordinator waits for. */
  send(at: number, message: Message): void {
    this.flights.push({ due: this.#delay(), round: 0, at, message, answer: null });
  }

  #reply(round: number, from: number, answer: Answer): void {
    this.flights.push({ due: this.#delay(), round, at: from, message: null, answer });
  }

  isAway(node: number): boolean {
    return this.away.some(
      ({ node: n, from, to }) => n === node && this.now >= from && this.now < to,
    );
  }

  isDead(node: number): boolean {
    return node === this.dead && this.away.some(({ from }) => this.now > from);
  }

  /** Delivers one message; false if none is due. */
  deliverOne(): void {
    const { dice, flights } = this;
    let index: number;
    if (this.isLate) {
      index = dice.int(0, flights.length);
      const { at, message } = flights[index] as Flight;
      if (this.isDead(nodeOf(at)) && message !== null) return this.#drop(index);
    } else {
      const ready: number[] = [];
      for (let i = 0; i < flights.length; i += 1) {
        if ((flights[i] as Flight).due <= this.now) ready.push(i);
      }
      if (ready.length === 0) {
        if (dice.chance(0.3)) this.now = Math.min(...flights.map(({ due }) => due));
        return;
      }
      index = dice.pick(ready);
      const flight = flights[index] as Flight;
      if (dice.chance(this.lossChance) || this.isAway(nodeOf(flight.at))) {
        return this.#drop(index);
      }
      if (dice.chance(0.03)) flights.push({ ...flight, due: this.#delay() });
    }
    const flight = flights[index] as Flight;
    this.#drop(index);
    if (flight.message !== null) this.#take(flight.round, flight.at, flight.message);
    else this.#hear(flight.round, flight.at, must(flight.answer));
  }

  #drop(index: number): void {
    const last = must(this.flights.pop());
    if (index < this.flights.length) this.flights[index] = last;
  }

  #take(round: number, at: number, message: Message): void {
    const gid = groupOf(at);
    const node = this.node(nodeOf(at));
    const answer = node.receive(gid, message);
    if (round !== 0 && answer !== null) this.#release(node, round, at, answer);
    if (message.type === 'Stable' && answer === null) {
      const replica = node.replicas.get(gid);
      if (replica?.isMember) {
        const command = replica.command(message.t);
        const waiters = this.#waiters.get(node.id) ?? [];
        this.#waiters.set(node.id, [...waiters, { replica, command, round }]);
      }
    }
    if (this.isLate || this.dice.chance(this.syncChance)) this.sync(node);
  }

  /** An answer leaves when its input is in the log. */
  #release(node: Node, round: number, from: number, answer: Answer): void {
    const isSynced = node.synced >= node.journal.length;
    if (isSynced || this.mutants.has('reply_before_sync')) return this.#reply(round, from, answer);
    const held = this.#held.get(node.id) ?? [];
    held.push({ at: node.journal.length, round, from, answer });
    this.#held.set(node.id, held);
  }

  sync(node: Node): void {
    node.synced = node.journal.length;
    const held = this.#held.get(node.id);
    if (held === undefined) return;
    this.#held.delete(node.id);
    for (const { round, from, answer } of held) this.#reply(round, from, answer);
  }

  crash(node: Node): void {
    this.count('restarts');
    for (const each of this.#all) if (each.node === node.id) each.isAlive = false;
    this.#waiters.delete(node.id);
    this.#held.delete(node.id);
    const kept = this.dice.int(node.synced, node.journal.length + 1);
    if (kept < node.journal.length) this.count('tails');
    node.restart(kept);
  }

  onProgress(node: Node): void {
    const waiters = this.#waiters.get(node.id);
    if (waiters === undefined) return;
    const rest: Waiter[] = [];
    for (const waiter of waiters) {
      const { replica, command, round } = waiter;
      const answer = replica.answerRead(command);
      if (answer === null) rest.push(waiter);
      else this.#release(node, round, place(replica.group.gid, node.id), answer);
    }
    this.#waiters.set(node.id, rest);
  }

  #hear(round: number, from: number, answer: Answer): void {
    const each = this.#coordinators.get(round);
    if (each === undefined || !each.isAlive || each.round !== round) return;
    for (const gid of answer.hints ?? []) {
      const group = this.group(gid);
      if (group.floor !== null) this.node(each.node).learn(group);
    }
    each.answers.set(from, answer);
    const verdict = each.stop(each.answers);
    if (verdict !== undefined) this.#advance(each, verdict);
    if (this.#coordinators.size > TASKS_MAX) this.#sweep();
  }

  #sweep(): void {
    this.#all = this.#all.filter(({ isAlive }) => isAlive);
    for (const [round, each] of this.#coordinators) {
      if (!each.isAlive || each.round !== round) this.#coordinators.delete(round);
    }
  }
}
