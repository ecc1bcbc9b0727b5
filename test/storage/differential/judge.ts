/** Compares the replies to a stream of commands with those of the servers that know the right ones. */
import { Differences } from './differences.ts';
import type { Words } from './generators.ts';
import type { Oracle } from './oracle.ts';
import { isError, normalised, type Value } from './replies.ts';

/** Gives our replies to all commands. */
export type Run = (commands: readonly Words[]) => Promise<Value[]> | Value[];

const SHOWN_CHARACTERS = 500;
const FLUSH = ['FLUSHALL'];

export class Judge {
  readonly oracles: readonly Oracle[];
  readonly differences: Differences;
  /** Commands whose replies were compared. */
  compared = 0;

  constructor(oracles: readonly Oracle[]) {
    this.oracles = oracles;
    this.differences = new Differences(this.#hasNew());
  }

  #hasNew(): boolean {
    return this.oracles.some(({ isNew }) => isNew);
  }

  /** Those that can be compared. Others are not run at all: they would change what later ones find. */
  comparable(drawn: readonly Words[]): readonly Words[] {
    const known = drawn.filter((words) => !isOverflow(words));
    return this.#hasNew() ? known : known.filter((words) => !isUnknownToOld(words));
  }

  /** The first reply that is wrong, in a stream that begins with an empty store. */
  async errorIn(drawn: readonly Words[], protocol: 2 | 3, run: Run): Promise<string | undefined> {
    const commands = this.comparable(drawn);
    const ours: Value[] = [];
    const twins: Words[] = [];
    for (const [i, reply] of (await run(commands)).entries()) {
      const words = commands[i] ?? [];
      const popped = poppedBy(words, reply);
      ours.push(popped.length === 0 ? reply : popped.length);
      twins.push(popped.length === 0 ? dated(words, reply) : ['SREM', words[1] ?? '', ...popped]);
    }
    const theirs = await Promise.all(
      this.oracles.map(async (oracle) => (await oracle.run([FLUSH, ...twins], protocol)).slice(1)),
    );
    for (const [i, words] of commands.entries()) {
      const replies = theirs.map((all) => all[i] ?? null);
      if (this.#isRight(words, ours[i] ?? null, replies)) continue;
      const shown = [words, ours[i], ...replies].map((each) =>
        JSON.stringify(each).slice(0, SHOWN_CHARACTERS),
      );
      return `number ${i}: ${shown[0]} got ${shown[1]}, not ${shown.slice(2).join(' or ')}`;
    }
    this.compared += commands.length;
    return undefined;
  }

  #isRight(words: Words, ours: Value, theirs: readonly Value[]): boolean {
    const own = normalised(words, ours);
    const others = theirs.map((reply) => normalised(words, reply));
    const text = JSON.stringify(own);
    return (
      others.some((other) => JSON.stringify(other) === text) ||
      others.some((other) => this.differences.allow(words, own, other))
    );
  }
}

/** Members that were popped here at random: the other servers are told to remove them. */
function poppedBy([name]: Words, ours: Value): readonly string[] {
  if (name !== 'SPOP' || ours === null || isError(ours)) return [];
  if (typeof ours === 'string') return [ours];
  return ((ours as { set?: unknown }).set ?? ours) as string[];
}

/** The id that an entry got here by the time: the other servers are told to use it. */
function dated(words: Words, ours: Value): Words {
  const at = words[0] === 'XADD' ? words.indexOf('*') : -1;
  return at === -1 || typeof ours !== 'string' ? words : words.with(at, ours);
}

/** Redis refuses the index, Valkey takes it for one of an element, since it cannot negate it. */
function isOverflow([name, , index]: Words): boolean {
  return name === 'LSET' && index === '-9223372036854775808';
}

/** Redis 7.0 does not have it, so that it alone cannot tell how its successors answer. */
function isUnknownToOld([name = '', , ...rest]: Words): boolean {
  return (
    // It judges numbers by an error that some earlier command has left behind.
    /^SORT/.test(name) ||
    (/^Z(REV)?RANK$/.test(name) && rest.length > 1) ||
    rest.includes('-9223372036854775808')
  );
}
