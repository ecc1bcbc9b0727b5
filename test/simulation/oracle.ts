/**
 * The expected data: every transaction that any replica executes, run once more, one after the
 * other in the order of executeAt, on a machine of its own (I12, I13). The replicas apply in orders
 * of their own and again after crashes; their keys, values, deadlines and versions must be these.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import { WHOLE_STORE } from '../../actors/accord/primitives/participants.ts';
import { compare, keyOf } from '../../actors/accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { StateMachine } from '../../storage/state-machine.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type { Replied, ReplyJudge } from './reply-judge.ts';

const CACHE_BYTES_MAX = 1024 * 1024 * 1024;

export class Oracle {
  readonly #executions = new Map<string, Execution>();
  readonly #group: GroupDescriptor;
  readonly #violation: (what: string) => void;

  constructor(group: GroupDescriptor, violation: (what: string) => void) {
    this.#group = group;
    this.#violation = violation;
  }

  executed(node: number, execution: Execution): void {
    const key = keyOf(execution.id);
    const known = this.#executions.get(key);
    if (known === undefined) {
      const { participants } = execution;
      this.#executions.set(key, {
        ...execution,
        body: Buffer.from(execution.body),
        participants: participants === WHOLE_STORE ? participants : participants.slice(),
      });
    } else if (Buffer.compare(known.body, execution.body) !== 0) {
      this.#violation(`I13: node ${node} executes other commands for ${key} than others did`);
    }
  }

  /**
   * The digest of the state after all executions, as `StateMachine.digest` computes it. The judge
   * gets their replies.
   */
  digest(judge?: ReplyJudge, unitWriteBytesMax = UNIT_WRITE_BYTES_MAX): string {
    const machine = new StateMachine({
      group: this.#group,
      engine: new MemoryEngine({ store: new MemoryStore([1, 2]), defer: () => undefined }),
      cacheBytesMax: CACHE_BYTES_MAX,
      unitWriteBytesMax,
      tableHashKey: [3, 4],
    });
    const args = new Arguments();
    const writer = new ReplyWriter(2);
    const ordered = [...this.#executions.values()].sort((a, b) =>
      compare(a.executeAt, b.executeAt),
    );
    for (const { executeAt, participants, body } of ordered) {
      const judged = judge?.awaits(executeAt) === true;
      const replied: Replied[] = [];
      machine.begin(executeAt, participants === WHOLE_STORE ? undefined : participants);
      for (let at = 0; at < body.length; ) {
        const begin = at;
        at = args.next(body, at);
        machine.run(args, judged ? writer : NO_REPLY);
        if (judged) replied.push({ at: begin, reply: Buffer.from(writer.take()) });
      }
      machine.commit(machine.appliedSequence + 1);
      if (judged) judge.executed(executeAt, Buffer.from(body), replied);
    }
    return machine.digest();
  }
}
