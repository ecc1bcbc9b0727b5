/**
 * The process that `crash.test.ts` kills: transaction n sets the same keys to n (and leaves some
 * out), every transaction is flushed, and each flush that is reported durable is printed.
 */
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines } from '../../storage/state-machines.ts';
import { body, GROUP, versionAt } from './harness.ts';

const engine = new LmdbEngine({ directory: process.argv[2] ?? '' });
const all = new StateMachines({
  groups: [GROUP],
  engine,
  cacheBytesMax: 10_000,
  dirtyBytesMax: 1,
  tableHashKey: [1, 2],
});
const machine = all.of(GROUP.id) as StateMachine;
const args = new Arguments();

function transaction(n: number): Buffer {
  const commands = Array.from({ length: 300 }, (_, i) => ['SET', `key${i}`, String(n)]);
  if (n % 5 === 0) commands.unshift(['FLUSHALL']);
  commands.push(['DEL', `key${n % 300}`]);
  return body(...commands);
}

function step(): void {
  const n = machine.appliedSequence + 1;
  const bytes = transaction(n);
  machine.begin(versionAt(n));
  for (let at = 0; at < bytes.length; ) {
    at = args.next(bytes, at);
    machine.run(args, NO_REPLY);
  }
  machine.commit(n);
  all.flush((error) => {
    if (error !== undefined) throw error;
    process.stdout.write(`${n}\n`);
    step();
  });
}

step();
