/**
 * The cost of judging a peer's message, beside encoding and decoding its frame: the
 * messages of a turn under load, a PreAccept of 100 small commands among them.
 */
import Table from 'cli-table3';
import type { AccordMessage } from '../../actors/accord/messages/messages.ts';
import { MessageValidator } from '../../actors/accord/messages/validation.ts';
import { depsOf, encodeDeps } from '../../actors/accord/primitives/deps.ts';
import { encodeParticipants, participantsOf } from '../../actors/accord/primitives/participants.ts';
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../actors/accord/topology/group.ts';
import { SystemClock } from '../../actors/runtime/ports/system-ports.ts';
import { isCommandBody } from '../../storage/arguments.ts';
import { firstGroup } from '../actors/accord/first-group.ts';
import { messagesOf, protocolFrame } from '../transport/peer/frames.ts';

const ROUNDS = 200_000;
const COMMANDS = 100;

function at(hlc: number, node: number): Timestamp {
  return { hlc: 1_763_700_000_000_000 + hlc, flags: 2, node, store: 0 };
}

function messages(): AccordMessage[] {
  const id = at(1_000, 2);
  const own = at(1_000, 1);
  const deps = encodeDeps(depsOf(Array.from({ length: 8 }, (_, i) => at(i, 1 + (i % 3)))));
  const slots = encodeParticipants(
    participantsOf(Array.from({ length: COMMANDS }, (_, i) => i * 640)),
  );
  const command = '*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$3\r\nxxx\r\n';
  const body = Buffer.from(command.repeat(COMMANDS));
  return [
    { type: 'PreAccept', id, slots, deps, body },
    { type: 'PreAcceptOk', id: own, vote: own, deps: null },
    { type: 'Accept', id, ballot: ZERO, executeAt: at(1_100, 3), deps },
    { type: 'CommitOk', id: own, ballot: ZERO },
    { type: 'Stable', id, executeAt: id, deps },
    { type: 'ReadBarrier', token: 2 ** 33, redundantBefore: ZERO, after: id },
    { type: 'ReadBarrierOk', token: 2 ** 33, ids: deps, behind: false },
  ];
}

function nsPer(run: () => void): number {
  for (let i = 0; i < ROUNDS / 10; i += 1) run();
  const before = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i += 1) run();
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) * 1_000) / ROUNDS);
}

export function run(): void {
  const group = new Group(firstGroup([1, 2, 3], [1, 2, 3]));
  const clock = new SystemClock();
  const nowUs = (): number => clock.wallUs();
  const validator = new MessageValidator({ self: 1, group, nowUs, isBody: isCommandBody });
  const table = new Table({ head: ['message', 'encode, decode (ns)', 'judge (ns)'] });
  for (const message of messages()) {
    const frame = protocolFrame([message]);
    const [decoded] = messagesOf(frame);
    if (decoded === undefined || validator.judge(2, decoded) !== undefined) {
      throw new Error(`${message.type} is refused`);
    }
    const carried = nsPer(() => messagesOf(protocolFrame([message])));
    table.push([message.type, carried, nsPer(() => validator.judge(2, decoded))]);
  }
  console.log(table.toString());
}
