/**
 * A coordinator for tests: executes units at once, or when told, over a Map. It knows a few
 * commands of the real table, and answers through `UnitReplies` as the executor does.
 */
import { Arguments } from '../../../storage/arguments.ts';
import { ReplyWriter } from '../../../transport/resp/codec/encoder.ts';
import type { CommandUnit } from '../../../transport/resp/connection/command-unit.ts';
import { UnitReplies } from '../../../transport/resp/connection/unit-replies.ts';

export class MemoryCoordinator {
  readonly store = new Map<string, string>();
  /** Units that wait for `step`, when `manual`. */
  readonly waiting: CommandUnit[] = [];
  /** All units taken so far. */
  readonly units: CommandUnit[] = [];
  manual = false;
  /** Takes no more units. */
  full = false;
  refusals = 0;
  readonly #args = new Arguments();
  readonly #writer = new ReplyWriter(2);
  readonly #replies = new UnitReplies(this.#writer);

  readonly submit = (unit: CommandUnit): boolean => {
    if (this.full) {
      this.refusals++;
      return false;
    }
    this.units.push(unit);
    if (this.manual) this.waiting.push(unit);
    else this.execute(unit);
    return true;
  };

  /** Executes the oldest waiting unit. */
  step(): void {
    const unit = this.waiting.shift();
    if (unit === undefined) throw new Error('no unit waits');
    this.execute(unit);
  }

  execute(unit: CommandUnit): void {
    this.#replies.begin(unit);
    let at = 0;
    for (let i = 0; i < unit.count; i++) {
      at = this.#args.next(unit.bytes, at);
      this.#replies.next();
      this.#run(this.#args);
    }
    if (at !== unit.bytes.length) throw new Error('the unit has more bytes than commands');
    unit.complete(this.#replies.finish());
  }

  #run(args: Arguments): void {
    const out = this.#writer;
    const key = args.count > 1 ? args.text(1) : '';
    switch (args.name) {
      case 'GET': {
        const value = this.store.get(key);
        return value === undefined ? out.nil() : out.bulk(value);
      }
      case 'SET':
        this.store.set(key, args.text(2));
        return out.simple('OK');
      case 'MSET':
        for (let i = 1; i < args.count; i += 2) this.store.set(args.text(i), args.text(i + 1));
        return out.simple('OK');
      case 'MGET':
        out.array(args.count - 1);
        for (let i = 1; i < args.count; i++) {
          const value = this.store.get(args.text(i));
          if (value === undefined) out.nil();
          else out.bulk(value);
        }
        return;
      case 'INCR': {
        const value = Number(this.store.get(key) ?? 0) + 1;
        this.store.set(key, String(value));
        return out.integer(value);
      }
      case 'DEL': {
        let removed = 0;
        for (let i = 1; i < args.count; i++) if (this.store.delete(args.text(i))) removed++;
        return out.integer(removed);
      }
      case 'DBSIZE':
        return out.integer(this.store.size);
      default:
        return out.error(`ERR the test store has no ${args.name}`);
    }
  }
}
