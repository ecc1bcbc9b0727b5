/**
 * A coordinator for tests: executes parts at once, or when told, over a Map. It knows a few
 * commands of the real table, and renders replies as the executor does.
 */
import { Arguments } from '../../../storage/arguments.ts';
import { ReplyWriter } from '../../../transport/resp/codec/encoder.ts';
import type { Part, StoreNews } from '../../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../../transport/resp/connection/part-renderer.ts';

export class MemoryCoordinator {
  readonly store = new Map<string, string>();
  /** Parts that wait for `step`, when `manual`. */
  readonly waiting: Part[] = [];
  /** All parts taken so far. */
  readonly parts: Part[] = [];
  /** Passes answers to the sender of the parts. */
  answer: (news: StoreNews) => void = () => undefined;
  manual = false;
  /** Takes no more parts. */
  full = false;
  refusals = 0;
  readonly #args = new Arguments();
  readonly #writer = new ReplyWriter(2);
  readonly #renderer = new PartRenderer(this.#writer);

  readonly submit = (part: Part): boolean => {
    if (this.full) {
      this.refusals += 1;
      return false;
    }
    this.parts.push(part);
    if (this.manual) this.waiting.push(part);
    else this.execute(part);
    return true;
  };

  /** Executes the oldest waiting part. */
  step(): void {
    const part = this.waiting.shift();
    if (part === undefined) throw new Error('no part waits');
    this.execute(part);
  }

  fail(part: Part | undefined, line: string): void {
    if (part === undefined) throw new Error('there is no such part');
    this.answer({ type: 'PartFailed', unit: part.unit, part: part.part, line });
  }

  execute(part: Part): void {
    this.#renderer.begin(part);
    let at = 0;
    for (let i = 0; i < part.count; i += 1) {
      at = this.#args.next(part.bytes, at);
      this.#renderer.next();
      this.#run(this.#args);
    }
    if (at !== part.bytes.length) throw new Error('the part has more bytes than commands');
    this.answer(this.#renderer.answer(part));
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
        for (let i = 1; i < args.count; i += 1) {
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
        for (let i = 1; i < args.count; i += 1) if (this.store.delete(args.text(i))) removed += 1;
        return out.integer(removed);
      }
      case 'DBSIZE':
        return out.integer(this.store.size);
      default:
        return out.error(`ERR the test store has no ${args.name}`);
    }
  }
}
