/**
 * The expected data: every transaction that any replica executes, run once more, one after the
 * other in the order of executeAt, on machines of its own (I12, I13). The replicas apply in orders
 * of their own and again after crashes; their keys, values, deadlines and versions must be these.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import { type Participants, WHOLE_STORE } from '../../actors/accord/primitives/participants.ts';
import {
  countedBytes,
  decodeSpanningBody,
  isMoved,
} from '../../actors/accord/primitives/spanning-body.ts';
import {
  compare,
  isClose,
  keyOf,
  type Timestamp,
  type TxnId,
} from '../../actors/accord/primitives/timestamp.ts';
import { decodeSuccessors } from '../../actors/accord/topology/close-body.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { type GroupId, groupKey, isSameGroup } from '../../actors/accord/topology/group-id.ts';
import { TOPOLOGY_RULES } from '../../actors/meta/meta-rows.ts';
import { Arguments } from '../../storage/arguments.ts';
import { headBytes, settingsOfBody } from '../../storage/body-settings.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import { SPANNING_READ_BYTES_MAX, UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { TOO_MUCH } from '../../storage/spanning/fetched-entries.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines } from '../../storage/state-machines.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type { Replied, ReplyJudge } from './reply-judge.ts';

const CACHE_BYTES_MAX = 1024 * 1024 * 1024;

export class Oracle {
  readonly executions = new Map<string, Execution>();
  readonly #group: GroupDescriptor;
  readonly #violation: (what: string) => void;

  constructor(group: GroupDescriptor, violation: (what: string) => void) {
    this.#group = group;
    this.#violation = violation;
  }

  executed(node: number, execution: Execution): void {
    const key = keyOf(execution.id);
    const known = this.executions.get(key);
    if (known === undefined) {
      const { participants } = execution;
      this.executions.set(key, {
        ...execution,
        body: Buffer.from(execution.body),
        participants: participants === WHOLE_STORE ? participants : participants.slice(),
      });
    } else if (Buffer.compare(known.body, execution.body) !== 0) {
      this.#violation(`I13: node ${node} executes other commands for ${key} than others did`);
    }
  }

  /** The machine of a group of the beginning, without data. */
  begin(limits: {
    readonly unitWriteBytesMax: number;
    readonly keysInUnitMax?: number | undefined;
  }): StateMachines {
    return new StateMachines({
      groups: [this.#group],
      engine: new MemoryEngine({ store: new MemoryStore([1, 2]), defer: (done) => done() }),
      cacheBytesMax: CACHE_BYTES_MAX,
      dirtyBytesMax: CACHE_BYTES_MAX,
      ...limits,
      tableHashKey: [3, 4],
      topologyRules: TOPOLOGY_RULES,
    });
  }
}

interface OracleGroup {
  readonly descriptor: GroupDescriptor;
  readonly oracle: Oracle;
  /** Itself for one of the beginning. */
  readonly root?: OracleGroup;
  readonly judge?: ReplyJudge;
}

interface OracleOptions {
  readonly unitWriteBytesMax?: number;
  readonly spanningReadBytesMax?: number;
  readonly keysInUnitMax?: number | undefined;
  /** Of the transactions over several groups. */
  readonly spanJudge?: ReplyJudge | undefined;
  readonly violation?: (what: string) => void;
}

/** A group that has begun. */
interface OracleMember extends OracleGroup {
  /** Undefined once it has ended. */
  machine: StateMachine | undefined;
  readonly machines: StateMachines;
}

const args = new Arguments();
const writer = new ReplyWriter(2);

/**
 * The digests of the groups' states after all executions, as `StateMachine.digest` computes them;
 * undefined for a group that has ended, or has never begun. The judges get their replies.
 */
export function digestsOf(
  groups: readonly OracleGroup[],
  options: OracleOptions = {},
): (string | undefined)[] {
  const { unitWriteBytesMax = UNIT_WRITE_BYTES_MAX, keysInUnitMax } = options;
  const members: OracleMember[] = [];
  for (const group of groups) {
    if ((group.root ?? group) !== group) continue;
    const machines = group.oracle.begin({ unitWriteBytesMax, keysInUnitMax });
    members.push({ ...group, machines, machine: machines.of(group.descriptor.id) });
  }
  const all = new Map<string, Execution>();
  for (const { oracle } of groups) {
    for (const [key, execution] of oracle.executions) all.set(key, execution);
  }
  const judges = new Set(groups.flatMap(({ judge }) => judge ?? []));
  if (options.spanJudge !== undefined) judges.add(options.spanJudge);
  const run: OracleRun = { ...options, groups, members, judges };
  const ordered = [...all.values()].sort((a, b) => compare(a.executeAt, b.executeAt));
  for (const execution of ordered) {
    if (isClose(execution.id)) closeOne(run, execution);
    else if (isMoved(execution.reads)) moveOne(run, execution);
    else if (execution.reads === undefined) runInOne(run, execution);
    else runInSeveral(run, execution);
  }
  return groups.map(({ descriptor }) => memberOf(run, descriptor.id)?.machine?.digest());
}

interface OracleRun extends OracleOptions {
  readonly groups: readonly OracleGroup[];
  /** Grows as groups end. */
  readonly members: OracleMember[];
  readonly judges: ReadonlySet<ReplyJudge>;
}

function memberOf({ members }: OracleRun, id: GroupId): OracleMember | undefined {
  return members.find(({ descriptor }) => isSameGroup(descriptor.id, id));
}

/** Every slot has one open group at every time: what executes must execute in that one. */
function openFor({ members, groups, violation }: OracleRun, id: TxnId): OracleMember[] {
  const key = keyOf(id);
  const its = members.filter(({ oracle }) => oracle.executions.has(key));
  for (const { oracle, descriptor } of groups) {
    const isOpen = its.some(({ oracle: other, machine }) => oracle === other && machine);
    if (!oracle.executions.has(key) || isOpen) continue;
    violation?.(`I21: ${key} executes in group ${groupKey(descriptor.id)} while it is not open`);
  }
  return its.filter(({ machine }) => machine !== undefined);
}

/** A group ends; its successors begin with what it holds. */
function closeOne(run: OracleRun, { id, body }: Execution): void {
  const [parent] = openFor(run, id);
  if (parent?.machine === undefined) return;
  const { machines, machine, descriptor } = parent;
  machines.flush(() => undefined);
  const sequence = machine.appliedSequence + 1;
  const successors = decodeSuccessors(body);
  machines.divide([{ group: descriptor.id, sequence, successors }], () => undefined);
  parent.machine = undefined;
  for (const successor of successors) {
    const group = run.groups.find((each) => isSameGroup(each.descriptor.id, successor.id));
    if (group === undefined) throw new Error(`nobody knows group ${groupKey(successor.id)}`);
    run.members.push({ ...group, machines, machine: machines.of(successor.id) });
  }
}

/** One of its groups has ended before it: it has no effect in the others. */
function moveOne(run: OracleRun, { id, executeAt }: Execution): void {
  for (const { machine } of openFor(run, id)) {
    machine?.begin(executeAt);
    machine?.commit(machine.appliedSequence + 1);
  }
}

function runInOne(run: OracleRun, execution: Execution): void {
  const { id, executeAt, participants, body } = execution;
  const [member] = openFor(run, id);
  const machine = member?.machine;
  if (machine === undefined) return;
  machine.begin(executeAt, footprintOf(participants), undefined, false, settingsOfBody(body));
  const replied = runAll(machine, body, isAwaited(run, executeAt));
  machine.commit(machine.appliedSequence + 1);
  tell(run, executeAt, body, replied);
}

function isAwaited({ judges }: OracleRun, executeAt: Timestamp): boolean {
  return [...judges].some((judge) => judge.awaits(executeAt));
}

function tell(
  { judges }: OracleRun,
  executeAt: Timestamp,
  commands: Uint8Array,
  replied: readonly Replied[],
): void {
  for (const judge of judges) {
    if (judge.awaits(executeAt)) judge.executed(executeAt, Buffer.from(commands), replied);
  }
}

/** All of its groups have it, and each of them comes to the same replies. */
function runInSeveral(run: OracleRun, { id, executeAt, body }: Execution): void {
  const { spanningReadBytesMax: most = SPANNING_READ_BYTES_MAX, violation } = run;
  const { parts, commands } = decodeSpanningBody(body);
  openFor(run, id);
  const its = parts.flatMap(({ group, participants }) => {
    const { machine, oracle, descriptor } = memberOf(run, group) ?? {};
    if (machine === undefined || oracle === undefined || descriptor === undefined) return [];
    return [{ machine, oracle, descriptor, footprint: footprintOf(participants) }];
  });
  for (const { oracle, descriptor } of its) {
    if (oracle.executions.has(keyOf(id))) continue;
    violation?.(`I13: ${keyOf(id)} is not executed in range ${descriptor.id.range}, but elsewhere`);
  }
  let fetched = its.map(({ machine, footprint }) =>
    machine.fetch(commands, { executeAt, footprint, bytesMax: most }),
  );
  const bytes = fetched.reduce((sum, each) => sum + countedBytes(each), 0);
  if (bytes > most) fetched = fetched.map(() => TOO_MUCH);
  const slots = its.flatMap(({ footprint }) => [...(footprint ?? [])]);
  const isWhole = its.some(({ footprint }) => footprint === undefined);
  let first: readonly Replied[] | undefined;
  const lists: Buffer[] = [];
  const isListing = isKeysAlone(commands);
  for (const { machine } of its) {
    const footprint = isWhole ? undefined : Uint16Array.from(slots).sort();
    machine.begin(executeAt, footprint, fetched, false, settingsOfBody(commands));
    const replied = runAll(machine, commands, true);
    machine.commit(machine.appliedSequence + 1);
    if (isListing) {
      lists.push(...replied.map(({ reply }) => reply));
      continue;
    }
    first ??= replied;
    const isSame = replied.every(({ reply }, at) => first?.[at]?.reply.equals(reply));
    if (!isSame) violation?.(`I13: the groups of ${keyOf(id)} come to different replies`);
  }
  if (isListing) first = [{ at: headBytes(commands), reply: joined(lists) }];
  if (first !== undefined) tell(run, executeAt, commands, first);
}

/** Each group lists its own keys. */
function isKeysAlone(commands: Uint8Array): boolean {
  return args.next(commands, headBytes(commands)) === commands.length && args.is(0, 'KEYS');
}

/** One RESP2 array of the elements of several. */
function joined(arrays: readonly Buffer[]): Buffer {
  let count = 0;
  const elements = arrays.map((array) => {
    const end = array.indexOf('\r\n', 0, 'latin1');
    count += Number(array.toString('latin1', 1, end));
    return array.subarray(end + 2);
  });
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...elements]);
}

function footprintOf(participants: Participants): Uint16Array | undefined {
  return participants === WHOLE_STORE ? undefined : participants;
}

/** The replies, if they are wanted. */
function runAll(machine: StateMachine, commands: Uint8Array, isJudged: boolean): Replied[] {
  const replied: Replied[] = [];
  for (let at = headBytes(commands); at < commands.length; ) {
    const begin = at;
    at = args.next(commands, at);
    machine.run(args, isJudged ? writer : NO_REPLY);
    if (isJudged) replied.push({ at: begin, reply: Buffer.from(writer.take()) });
  }
  return replied;
}
