/**
 * Keyspace events: what commands tell of the keys that they change, as Redis' subscribers of
 * `__keyspace@N__:KEY` and `__keyevent@N__:EVENT` expect it. Every node executes every write and
 * tells its own subscribers of it. No replica depends on an event.
 */

/** As in `notify-keyspace-events`. */
const LETTERS = {
  g: 'generic',
  $: 'string',
  l: 'list',
  s: 'set',
  h: 'hash',
  z: 'zset',
  x: 'expired',
  e: 'evicted',
  t: 'stream',
  d: 'module',
  n: 'new',
  m: 'miss',
} as const;

export type EventClass = (typeof LETTERS)[keyof typeof LETTERS];

/** `A` stands for all of these. */
const ALL = 'g$lshzxetd';
/** In the order in which Redis shows them. */
const SHOWN = 'g$lshzxetdn';

/** An event that is to be published. */
export interface Notification {
  readonly channel: string;
  readonly payload: string;
  /** Only this node has met it: the others' subscribers are to hear of it, too. */
  readonly isEverywhere: boolean;
  /** A message of SPUBLISH. */
  readonly isShard?: true;
}

/** Values of keys of these classes are gone with their last element. */
const OF_COLLECTIONS: ReadonlySet<EventClass> = new Set(['list', 'set', 'hash', 'zset']);

/** The flags in Redis' form and order; undefined: some letter is none. */
export function eventFlagsOf(text: string): string | undefined {
  const flags = new Set<string>();
  for (const letter of text) {
    if (letter === 'A') for (const each of ALL) flags.add(each);
    else if (letter in LETTERS || letter === 'K' || letter === 'E') flags.add(letter);
    else return undefined;
  }
  const isAll = [...ALL].every((letter) => flags.has(letter));
  const classes = isAll ? ['A', 'n'] : [...SHOWN];
  const shown = classes.filter((letter) => letter === 'A' || flags.has(letter));
  return [...shown, ...['K', 'E', 'm'].filter((letter) => flags.has(letter))].join('');
}

export class KeyEvents {
  readonly #classes = new Set<EventClass>();
  readonly #byKey: boolean;
  readonly #byEvent: boolean;
  readonly #told: Notification[] = [];

  /** `undefined`: with these flags nothing is told. */
  static of(flags: string): KeyEvents | undefined {
    const events = new KeyEvents(flags.replace('A', ALL));
    const isTold = events.#byKey || events.#byEvent;
    return isTold && events.#classes.size > 0 ? events : undefined;
  }

  private constructor(flags: string) {
    this.#byKey = flags.includes('K');
    this.#byEvent = flags.includes('E');
    for (const letter of flags) {
      if (letter in LETTERS) this.#classes.add(LETTERS[letter as keyof typeof LETTERS]);
    }
  }

  wants(kind: EventClass): boolean {
    return this.#classes.has(kind);
  }

  /** `database`: the number that clients select. */
  add(kind: EventClass, event: string, database: number, key: string): void {
    if (!this.#classes.has(kind)) return;
    const isEverywhere = kind === 'miss';
    const tell = (channel: string, payload: string): void => {
      this.#told.push({ channel, payload, isEverywhere });
    };
    if (this.#byKey) tell(`__keyspace@${database}__:${key}`, event);
    if (this.#byEvent) tell(`__keyevent@${database}__:${event}`, key);
  }

  /** How many wait to be taken. */
  get count(): number {
    return this.#told.length;
  }

  /** Removes and returns those behind the first `from`. */
  take(from: number): readonly Notification[] {
    return this.#told.splice(from);
  }

  /** A command begins anew: it will miss the same keys, while what has expired is gone. */
  forgetMisses(from: number): void {
    const kept = this.take(from).filter(({ isEverywhere }) => !isEverywhere);
    this.#told.push(...kept);
  }
}

/** Whether an event of this class may have removed the last element. */
export function mayEmpty(kind: EventClass): boolean {
  return OF_COLLECTIONS.has(kind);
}
