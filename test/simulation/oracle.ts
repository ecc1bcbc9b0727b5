/**
 * The expected data: every transaction that any replica executes, run once more, one after the
 * other in the order of executeAt, on machines of its own (I12, I13). The replicas apply in orders
 * of their own and again after crashes; their keys, values, deadlines and versions must be these.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import { type Participants, WHOLE_STORE } from '../../actors/accord/primitives/participants.ts';
import { countedBytes, decodeSpanningBody } from '../../actors/accord/primitives/spanning-body.ts';
import { compare, keyOf } from '../../actors/accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { isSameGroup } from '../../actors/accord/topology/group-id.ts';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import { SPANNING_READ_BYTES_MAX, UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { TOO_MUCH } from '../../storage/spanning/fetched-entries.ts';
import { StateMachine } from '../../storage/state-machine.ts';
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

  /** A machine without data, and those that execute on it. */
  machine(unitWriteBytesMax: number): StateMachine {
    return new StateMachine({
      group: this.#group,
      engine: new MemoryEngine({ store: new MemoryStore([1, 2]), defer: () => undefined }),
      cacheBytesMax: CACHE_BYTES_MAX,
      unitWriteBytesMax,
      tableHashKey: [3, 4],
    });
  }
}

interface OracleGroup {
  readonly descriptor: GroupDescriptor;
  readonly oracle: Oracle;
  readonly judge?: ReplyJudge;
}

interface OracleOptions {
  readonly unitWriteBytesMax?: number;
  readonly spanningReadBytesMax?: number;
  /** Of the transactions over several groups. */
  readonly spanJudge?: ReplyJudge | undefined;
  readonly violation?: (what: string) => void;
}

interface OracleMember extends OracleGroup {
  readonly machine: StateMachine;
}

const args = new Arguments();
const writer = new ReplyWriter(2);

/**
 * The digests of the groups' states after all executions, as `StateMachine.digest` computes them.
 * The judges get their replies.
 */
export function digestsOf(groups: readonly OracleGroup[], options: OracleOptions = {}): string[] {
  const { unitWriteBytesMax = UNIT_WRITE_BYTES_MAX } = options;
  const members = groups.map((group) => {
    return { ...group, machine: group.oracle.machine(unitWriteBytesMax) };
  });
  const all = new Map<string, Execution>();
  for (const { oracle } of groups) {
    for (const [key, execution] of oracle.executions) all.set(key, execution);
  }
  const ordered = [...all.values()].sort((a, b) => compare(a.executeAt, b.executeAt));
  for (const execution of ordered) {
    if (execution.reads === undefined) runInOne(members, execution);
    else runInSeveral(members, execution, options);
  }
  return members.map(({ machine }) => machine.digest());
}

function runInOne(members: readonly OracleMember[], execution: Execution): void {
  const { id, executeAt, participants, body } = execution;
  const member = members.find(({ oracle }) => oracle.executions.has(keyOf(id)));
  if (member === undefined) return;
  const { machine, judge } = member;
  machine.begin(executeAt, footprintOf(participants));
  const replied = run(machine, body, judge?.awaits(executeAt) === true);
  machine.commit(machine.appliedSequence + 1);
  if (replied.length > 0) judge?.executed(executeAt, Buffer.from(body), replied);
}

/** All of its groups have it, and each of them comes to the same replies. */
function runInSeveral(
  members: readonly OracleMember[],
  { id, executeAt, body }: Execution,
  { spanningReadBytesMax: most = SPANNING_READ_BYTES_MAX, ...options }: OracleOptions,
): void {
  const { parts, commands } = decodeSpanningBody(body);
  const { spanJudge, violation } = options;
  const its = parts.flatMap(({ group, participants }) => {
    const member = members.find(({ descriptor }) => isSameGroup(descriptor.id, group));
    return member === undefined ? [] : [{ ...member, footprint: footprintOf(participants) }];
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
    machine.begin(executeAt, isWhole ? undefined : Uint16Array.from(slots).sort(), fetched);
    const replied = run(machine, commands, true);
    machine.commit(machine.appliedSequence + 1);
    if (isListing) {
      lists.push(...replied.map(({ reply }) => reply));
      continue;
    }
    first ??= replied;
    const isSame = replied.every(({ reply }, at) => first?.[at]?.reply.equals(reply));
    if (!isSame) violation?.(`I13: the groups of ${keyOf(id)} come to different replies`);
  }
  if (isListing) first = [{ at: 0, reply: joined(lists) }];
  if (spanJudge?.awaits(executeAt) === true && first !== undefined) {
    spanJudge.executed(executeAt, Buffer.from(commands), first);
  }
}

/** Each group lists its own keys. */
function isKeysAlone(commands: Uint8Array): boolean {
  return args.next(commands, 0) === commands.length && args.is(0, 'KEYS');
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
function run(machine: StateMachine, commands: Uint8Array, isJudged: boolean): Replied[] {
  const replied: Replied[] = [];
  for (let at = 0; at < commands.length; ) {
    const begin = at;
    at = args.next(commands, at);
    machine.run(args, isJudged ? writer : NO_REPLY);
    if (isJudged) replied.push({ at: begin, reply: Buffer.from(writer.take()) });
  }
  return replied;
}
