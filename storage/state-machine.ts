/**
 * The deterministic state machine of a group: executes transaction bodies in executeAt order and
 * serves ephemeral reads. The executor owns it. Its result depends only on the bodies and their
 * versions: it uses no clock, no randomness and no network, and an error that a client causes only
 * produces an error reply.
 */
import { compare, type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import type { Arguments } from './arguments.ts';
import { STANDARD_SETTINGS } from './body-settings.ts';
import { type ClusterSettings, changedAtOf, NO_SETTINGS, VERSION_ROW } from './cluster-settings.ts';
import {
  argumentRefusal,
  arityError,
  type Command,
  fitsArity,
  hasOneKey,
  keysAmong,
  stepsOf,
  WRONG_TYPE_ERROR,
} from './commands/command.ts';
import { commandFor, unknownCommandError } from './commands/command-table.ts';
import { NO_REPLY, type ReplySink } from './commands/reply.ts';
import { TOO_MANY_STEPS, TOO_MUCH_MEMORY } from './commands/script/lua/lua-machine.ts';
import type { Engine, KeyRow, MachineGroup } from './engine.ts';
import { ApplyOrderError } from './errors.ts';
import type { SearchedPlace } from './keyspace/big-keys.ts';
import { type Capture, type DatabaseReport, Databases } from './keyspace/databases.ts';
import { KeyspaceDigest } from './keyspace/digest.ts';
import { Entry, NO_DEADLINE, type StoredEntry, storedBytes } from './keyspace/entry.ts';
import type { Footprint } from './keyspace/footprint.ts';
import { type GroupKeyspace, withoutValue } from './keyspace/group-keyspace.ts';
import { KeyEvents, type Notification } from './keyspace/key-events.ts';
import { type KeysView, VIEW_CHANGES_MAX } from './keyspace/keys-view.ts';
import {
  KEY_OUTSIDE,
  type Keyspace,
  NOT_LOADED,
  PAST_DEADLINE,
  RUN_ENDS,
  UNIT_ENDS,
  UNIT_FULL,
  WRONG_TYPE,
} from './keyspace/keyspace.ts';
import type { SideEffects } from './keyspace/side-effects.ts';
import { firstSlotOf, POSITIONS, positionOf } from './keyspace/slots.ts';
import type { TableHashKey } from './keyspace/table-hash.ts';
import {
  type ReadyKey,
  WaitedKeys,
  type WaitId,
  type Waiting,
  waitedType,
} from './keyspace/waited-keys.ts';
import { type Written, WrittenKeys } from './keyspace/written-keys.ts';
import { DATABASES, KEYS_IN_UNIT_MAX, TABLE_DATABASE, UNIT_WRITE_BYTES_MAX } from './limits.ts';
import { MEMORY_SETTING, STEPS_SETTING } from './script-limits.ts';
import { SeededRandom } from './seeded-random.ts';
import {
  decodeFetched,
  encodeFetched,
  type FetchedDatabase,
  type FetchedEntry,
  type FetchedGroup,
} from './spanning/fetched-entries.ts';
import { type NamedKey, namedKeys } from './spanning/named-keys.ts';
import { SpanningKeyspaces } from './spanning/spanning-keyspaces.ts';
import { allSteps, STEP_ELEMENTS_MAX, type Steps } from './steps.ts';
import type { TopologyRules } from './topology-rules.ts';
import { STRING } from './types/string.ts';
import { valueTypeNamed } from './types/value-types.ts';

export interface StateMachineOptions {
  readonly engine: Engine;
  readonly group: MachineGroup;
  /** Bytes of memory for clean entries; unflushed ones are not counted. */
  readonly cacheBytesMax: number;
  /** Bytes that one unit may write; the same on every node, since it determines results. */
  readonly unitWriteBytesMax?: number;
  /** Keys that KEYS lists among other commands; the same on every node, as well. */
  readonly keysInUnitMax?: number | undefined;
  /** Elements that a command goes through in one step; each node has its own. */
  readonly stepElementsMax?: number | undefined;
  /** A secret of this process, so that no client can choose keys that collide in its tables. */
  readonly tableHashKey: TableHashKey;
  /** Of the meta group; see `DatabasesOptions`. */
  readonly topologyRules?: TopologyRules | undefined;
}

/** From here on the executor waits for the flush before it applies more. */
export const UNFLUSHED_BYTES_MAX_DEFAULT = 128 * 1024 * 1024;

/** Keys that one call of `expired` visits. */
const EXPIRY_SAMPLE_KEYS = 256;
/** Bytes of values that one call may read; calls that follow a larger page look at nothing. */
const EXPIRY_READ_BYTES = 4 * 1024 * 1024;
/** There is a backlog when more than one in this many volatile keys is past its deadline. */
const EXPIRY_BACKLOG_ONE_IN = 10;
const ITERATION_KEYS = 1024;
/** Keys past their deadline that one look for a living key visits, and how many at a time. */
const ANY_KEY_VISITS_MAX = 4_096;
const ANY_KEY_PAGE = 16;
/** Redis' text: clients take it for "nothing was done, and a retry will not help". */
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** For commands executed before this machine was opened: no client waits for the result. */
const STORED_BEFORE = 'ERR this was executed before a restart';
const TOO_MUCH_READ =
  'TOOLARGE refused, nothing was done: its keys in several ranges hold more than may be sent';
const SCRIPT_ENDED = 'TOOLARGE refused, nothing was done: the script needs';

interface FetchOptions {
  readonly executeAt: Timestamp;
  /** The slots of this group. */
  readonly footprint: Footprint;
  readonly bytesMax: number;
}

/** Keys of one database. */
export interface ExpiredKeys {
  /** The number that clients select. */
  readonly database: number;
  readonly keys: readonly string[];
}

const ERRORS: ReadonlyMap<unknown, string> = new Map([
  [UNIT_FULL, OUT_OF_MEMORY],
  [WRONG_TYPE, WRONG_TYPE_ERROR],
  [TOO_MANY_STEPS, `${SCRIPT_ENDED} more steps than ${STEPS_SETTING}`],
  [TOO_MUCH_MEMORY, `${SCRIPT_ENDED} more memory than ${MEMORY_SETTING}`],
  // Where the coordinator cannot begin it anew: the key is in another range.
  [KEY_OUTSIDE, 'CROSSSLOT refused, nothing was done: its keys belong to several ranges'],
]);
/** Ends of a run that only learns. */
const LEARNING_ENDS = new Set<unknown>([RUN_ENDS, WRONG_TYPE, TOO_MANY_STEPS, TOO_MUCH_MEMORY]);
const NO_SLOTS: readonly number[] = [];
const NO_KEYS: readonly ReadyKey[] = [];
const NO_EVENTS: readonly Notification[] = [];

/** A command between two of its steps. */
interface Paused {
  readonly command: Command;
  readonly args: Arguments;
  readonly out: ReplySink;
  readonly steps: Steps;
  /** They load rows, and the command begins anew behind them. */
  readonly isLoading: boolean;
}

/** `more`: the command waits for its next step. `transaction`: only one may answer the read. */
export type ReadOutcome = 'done' | 'more' | 'transaction';

export class StateMachine {
  readonly #databases: Databases;
  readonly #group: MachineGroup;
  /** Of the open transaction, if it is over several groups. */
  #spanning: SpanningKeyspaces | 'too much' | undefined;
  #appliedSequence: number;
  #open = false;
  /** Units of the open transaction begun so far. */
  #units = 0;
  /** The last command has met a key outside the footprint. */
  #isOutside = false;
  /** The command that runs is the only one of its unit. */
  #isAlone = false;
  #paused: Paused | undefined;
  /** Told, and not in force yet. */
  #eventFlags: string | undefined;
  /** The rest of the current unit does not run. */
  #unitEnded = false;
  /** Units of the next transaction, or of the open one, that the engine held at the start. */
  #unitsStored: number;
  /** The table as of the last transaction. */
  #settings = NO_SETTINGS;
  #expiryDatabase = 0;
  #expiryPosition = 0;
  #expiryBacklog = false;
  /** Read beyond what the calls so far may read. */
  #expiryReadBytes = 0;

  constructor(options: StateMachineOptions) {
    const {
      unitWriteBytesMax = UNIT_WRITE_BYTES_MAX,
      keysInUnitMax = KEYS_IN_UNIT_MAX,
      stepElementsMax = STEP_ELEMENTS_MAX,
    } = options;
    const limits = { unitWriteBytesMax, keysInUnitMax, stepElementsMax };
    this.#databases = new Databases({ ...options, ...limits });
    this.#group = options.group;
    const meta = options.engine.metaOf(options.group.id);
    this.#appliedSequence = meta?.appliedSequence ?? 0;
    this.#unitsStored = meta?.appliedUnits ?? 0;
    if (this.#unitsStored === 0) this.#settings = this.#databases.settings;
  }

  /** The last transaction whose effect is in memory. */
  get appliedSequence(): number {
    return this.#appliedSequence;
  }

  /** The last transaction whose effect is durable in the engine: it no longer needs the log. */
  get flushedSequence(): number {
    return this.#databases.flushedSequence;
  }

  /** Keys of all databases, also those past their deadline that no transaction has removed. */
  get size(): number {
    return this.#databases.size;
  }

  /** Of keys and values, in memory or not. Adds up the slots of each database. */
  dataBytes(): number {
    return this.#databases.dataBytes();
  }

  /** Keys with a deadline. */
  get volatileSize(): number {
    return this.#databases.volatileSize;
  }

  /** The cluster's, as of the last transaction; the same object until they change. */
  get settings(): ClusterSettings {
    return this.#settings;
  }

  /**
   * The table of a new member is that of another one, which had executed some transactions of the
   * group: they have had their effects. Of one that the engine has in part the rest is missing.
   */
  hadEffect(executeAt: Timestamp): boolean {
    const isOfTable = this.#databases.isMeta && this.#unitsStored === 0;
    return isOfTable && compare(executeAt, changedAtOf(this.#settings)) <= 0;
  }

  /** Of the value of a key of the database that clients select; 0 if it is not in memory. */
  bytesOf(database: number, key: string): number {
    return this.#databases.of(database).bytesOf(key);
  }

  /** The databases that have keys. */
  report(): DatabaseReport[] {
    return this.#databases.report();
  }

  /** The same, for a search that runs between commands and changes nothing. */
  withKeys(): SearchedPlace[] {
    return this.#databases.withKeys();
  }

  /** Keys found by reads of this node's clients. */
  get hits(): number {
    return this.#databases.context.hits;
  }

  /** Keys not found by reads of this node's clients. */
  get misses(): number {
    return this.#databases.context.misses;
  }

  /** Keys that were removed since their deadline had passed. */
  get expiredKeys(): number {
    return this.#databases.context.expired;
  }

  get cacheBytes(): number {
    return this.#databases.cacheBytes;
  }

  get cachedKeys(): number {
    return this.#databases.cachedKeys;
  }

  get dirtyBytes(): number {
    return this.#databases.dirtyBytes;
  }

  /** Changed bytes that the engine does not hold yet, including those of a flush in progress. */
  get unflushedBytes(): number {
    return this.#databases.unflushedBytes;
  }

  /** A flush would write something. */
  get hasUnflushed(): boolean {
    return this.#appliedSequence !== this.flushedSequence || (this.#open && this.#units > 0);
  }

  /**
   * Begins a transaction. Its commands see the time `executeAt.hlc / 1000` ms, whole, and no key
   * outside its footprint. `fetched`: over several groups, what `fetch` has told in each of them.
   * `isRepeated`: it was executed before this store was opened; no keyspace event is told again.
   * `settings`: those that its body names.
   */
  begin(
    executeAt: Timestamp,
    footprint?: Footprint,
    fetched?: readonly Uint8Array[],
    isRepeated = false,
    settings = STANDARD_SETTINGS,
  ): void {
    if (this.#open) throw new ApplyOrderError('a transaction began while another was open');
    this.#assertNotPaused();
    this.#followEventFlags();
    this.#open = true;
    this.#spanning = fetched && this.#keyspacesOf(fetched);
    const { hlc, flags, node, store } = executeAt;
    this.#units = 0;
    this.#unitEnded = false;
    this.#databases.context.beginWrite({
      version: { hlc, flags, node, store },
      nowMs: Math.floor(hlc / 1000),
      partlyStored: this.#unitsStored > 0,
      footprint,
      isRepeated,
      settings,
    });
  }

  #keyspacesOf(fetched: readonly Uint8Array[]): SpanningKeyspaces | 'too much' {
    const groups: FetchedGroup[] = [];
    for (const bytes of fetched) {
      const decoded = decodeFetched(bytes);
      if (decoded === undefined) return 'too much';
      groups.push(decoded);
    }
    return new SpanningKeyspaces(this.#databases, this.#group, groups);
  }

  /**
   * The entries of this group's keys that these commands need, for the other groups that run them,
   * too: the same on every replica at this place in the order. No bytes, if it is more than
   * `bytesMax`. Changes nothing. `footprint`: the slots of this group; where some command finds
   * keys while it runs, all keys there may be needed.
   */
  fetch(commands: Uint8Array, { executeAt, footprint, bytesMax }: FetchOptions): Uint8Array {
    if (this.#open) throw new ApplyOrderError('entries were fetched inside a transaction');
    const { keys, findsKeys, wholeStore, listsKeys } = namedKeys(commands);
    const { fromSlot } = this.#group;
    const named = this.#entriesOf(keys);
    // The entry that is told of a key last is the one that counts.
    let entries: Iterable<FetchedEntry> = named;
    if (findsKeys) entries = concat(named, this.#entriesIn(footprint));
    else if (listsKeys) entries = concat(this.#names(), named);
    const looksAtAll = wholeStore || (findsKeys && footprint === undefined);
    const databases = looksAtAll ? this.#fetchDatabases(executeAt) : [];
    return encodeFetched({ fromSlot, databases, entries }, bytesMax);
  }

  /** All keys, without their values, of each database that has not too many for a list. */
  *#names(): Generator<FetchedEntry> {
    for (const database of this.#databases.numbers) {
      const keyspace = this.#databases.of(database);
      if (keyspace.size > keyspace.keysInUnitMax) continue;
      for (const item of entriesOf(keyspace)) {
        const { key, entry } = withoutValue(item);
        yield { database, key, removedAt: keyspace.lastRemovalOf(key), entry };
      }
    }
  }

  #fetchDatabases(executeAt: Timestamp): FetchedDatabase[] {
    return this.#databases.report().map(({ database, keys }) => {
      const anyKey = anyLivingKey(this.#databases.of(database), executeAt);
      return { database, keys, anyKey };
    });
  }

  /** All entries in these slots; those that are named as well are told twice. */
  *#entriesIn(footprint: Footprint): Generator<FetchedEntry> {
    for (const database of this.#databases.numbers) {
      const keyspace = this.#databases.of(database);
      for (const [from, to] of positionsOf(footprint)) {
        for (let at = from; at < to; ) {
          const page = keyspace.page(at, ITERATION_KEYS);
          for (const item of page.items) {
            if (positionOf(item.slot, item.place) >= to) break;
            const entry = keyspace.wholeEntry(item);
            const removedAt = keyspace.lastRemovalOf(item.key);
            yield { database, key: item.key, removedAt, entry };
          }
          at = page.next === 0 ? to : page.next;
        }
      }
    }
  }

  /** A command may name another database, too: of each key, all that hold it. */
  *#entriesOf(keys: readonly NamedKey[]): Generator<FetchedEntry> {
    const from = firstSlotOf(this.#group.fromSlot);
    const to = firstSlotOf(this.#group.toSlot);
    // A key that is named in several databases is told with its value if any of them needs it.
    const valued = new Set(keys.filter((key) => key.needsValue).map(({ key }) => key));
    const told = new Set<string>();
    for (const { database: own, key, slot } of keys) {
      if (slot < from || slot >= to) continue;
      this.#databases.of(own);
      for (const database of this.#databases.numbers) {
        const name = `${database} ${key}`;
        if (told.has(name)) continue;
        told.add(name);
        const keyspace = this.#databases.of(database);
        const entry = keyspace.peek(key, valued.has(key));
        const removedAt = keyspace.lastRemovalOf(key);
        if (entry !== undefined || removedAt.hlc > 0) yield { database, key, removedAt, entry };
      }
    }
  }

  /**
   * Executes one command of the transaction, or answers nothing: it belongs to a unit whose watched
   * keys have changed. A client's mistake becomes an error reply. After an
   * ApplyOrderError or EngineError discard the machine; its engine is intact.
   */
  run(args: Arguments, out: ReplySink): void {
    if (this.start(args, out)) return;
    while (!this.more());
  }

  /**
   * As `run`, but a long command only begins: `false`. Then its steps follow with `more`; until it
   * is done `args` must stay as they are, and nothing but `readBetween` may run.
   */
  start(args: Arguments, out: ReplySink): boolean {
    if (!this.#open) throw new ApplyOrderError('a command ran outside a transaction');
    this.#assertNotPaused();
    const { context } = this.#databases;
    // Where no client waits for the reply, `outside` was not called.
    this.#isOutside = false;
    if (args.startsUnit) this.#beginUnit();
    if (this.#unitsStored > 0 && this.#units <= this.#unitsStored) {
      out.error(STORED_BEFORE);
      return true;
    }
    if (this.#unitEnded) return true;
    this.#isAlone = args.isAlone;
    const command = commandFor(args);
    const refusal = this.#refusalOf(command, args);
    if (command === undefined || refusal !== undefined) {
      out.error(refusal ?? '');
      return true;
    }
    if (this.#spanning === 'too much') {
      out.error(TOO_MUCH_READ);
      return true;
    }
    // Only reads of keys whose reply a client of this node gets are counted.
    context.counting = command.kind === 'read' && out !== NO_REPLY && !this.#databases.isMeta;
    context.beginCommand(namesManyKeys(command));
    context.hasSideEffects = out !== NO_REPLY && !context.isRepeated;
    context.mayPause = true;
    try {
      return this.#begin(command, args, out);
    } catch (error) {
      this.#endWith(error, out);
      return true;
    }
  }

  /** The next step of the command that was started last; `true`: it is done. */
  more(): boolean {
    const { out } = this.#pausedOne();
    try {
      return this.#step();
    } catch (error) {
      this.#endWith(error, out);
      return true;
    }
  }

  /** The table and the keys of clients are in groups of their own. */
  #refusalOf(command: Command | undefined, args: Arguments): string | undefined {
    const isElsewhere = (command?.ofTable === true) !== this.#databases.isMeta;
    return refusalOf(isElsewhere ? undefined : command, args);
  }

  #pausedOne(): Paused {
    if (this.#paused === undefined) throw new ApplyOrderError('no command waits for a step');
    return this.#paused;
  }

  #assertNotPaused(): void {
    if (this.#paused !== undefined) throw new ApplyOrderError('a command has not come to its end');
  }

  /** With too much to read in its groups, no command of the transaction runs. */
  #keyspaceOf(database: number): Keyspace {
    const spanning = this.#spanning;
    const isPlain = spanning === undefined || spanning === 'too much';
    return isPlain ? this.#databases.of(database) : spanning.of(database);
  }

  /** `false`: it has steps. */
  #begin(command: Command, args: Arguments, out: ReplySink): boolean {
    let steps: Steps | undefined;
    let isLoading = false;
    try {
      steps = stepsOf(command.run(this.#keyspaceOf(args.database), args, out));
      // Most have one step.
      if (steps === undefined || steps.next().done === true) return true;
    } catch (error) {
      if (error !== NOT_LOADED) throw error;
      isLoading = true;
      steps = this.#databases.context.loading();
    }
    this.#paused = steps && { command, args, out, steps, isLoading };
    return false;
  }

  #step(): boolean {
    const { command, args, out, steps, isLoading } = this.#pausedOne();
    try {
      if (steps.next().done !== true) return false;
    } catch (error) {
      this.#paused = undefined;
      if (error !== NOT_LOADED) throw error;
      const loading = this.#databases.context.loading() as Steps;
      this.#paused = { command, args, out, steps: loading, isLoading: true };
      return false;
    }
    this.#paused = undefined;
    return isLoading ? this.#begin(command, args, out) : true;
  }

  /** Answers for a command of a transaction that has thrown. */
  #endWith(error: unknown, out: ReplySink): void {
    if (error === UNIT_ENDS) {
      this.#unitEnded = true;
      out.nilArray();
      return;
    }
    const line = ERRORS.get(error);
    if (line === undefined) throw error;
    this.#isOutside = error === KEY_OUTSIDE;
    // Its client begins it anew, and those behind it are not to run before it.
    if (this.#isOutside && !this.#isAlone) this.#unitEnded = true;
    this.#databases.context.undoCommand();
    out.error(line);
  }

  /**
   * The last command has met a key outside the footprint. It has done nothing, nor do the others of
   * its unit behind it.
   */
  get isOutside(): boolean {
    return this.#isOutside;
  }

  /**
   * Right after `run`: if that command has met a key outside the footprint, the conflict slots of
   * all such keys that it needs, as far as this state tells. It has done nothing then.
   */
  outside(args: Arguments): readonly number[] | 'all' {
    if (!this.#isOutside) return NO_SLOTS;
    this.#isOutside = false;
    const { context } = this.#databases;
    const learned = new Set<number>();
    context.learned = learned;
    context.mayPause = false;
    try {
      const command = commandFor(args);
      const steps = stepsOf(command?.run(this.#keyspaceOf(args.database), args, NO_REPLY));
      if (steps !== undefined) allSteps(steps);
    } catch (error) {
      if (!LEARNING_ENDS.has(error)) throw error;
    }
    const { learnedAll } = context;
    context.learned = undefined;
    context.learnedAll = false;
    return learnedAll ? 'all' : [...learned];
  }

  /**
   * Takes the place of `run` for a KEYS that is a unit by itself: the keys as of this place in the
   * transaction. `undefined`: the engine already holds the effects of later units.
   */
  pinKeys(args: Arguments, changesMax = VIEW_CHANGES_MAX): KeysView | undefined {
    if (!this.#open) throw new ApplyOrderError('keys were pinned outside a transaction');
    if (this.#unitsStored > 0) return undefined;
    this.#beginUnit();
    return this.#databases.of(args.database).pinKeys(changesMax);
  }

  /**
   * Whether the client of the next command waits where the command finds nothing: `waiting` tells
   * after it.
   */
  set mayWait(mayWait: boolean) {
    this.#databases.context.mayWait = mayWait;
    this.#databases.context.nothing = undefined;
  }

  /**
   * Right after a command with `mayWait`: if it has found nothing, its keys are waited for from
   * this place on. Otherwise those of an attempt before it are, until `stopWaiting` or `passWait`.
   */
  waiting(wait: WaitId): Waiting | undefined {
    const { context } = this.#databases;
    const { nothing } = context;
    context.mayWait = false;
    context.nothing = undefined;
    if (nothing === undefined) return undefined;
    context.waited ??= new WaitedKeys();
    context.waited.add(wait, nothing);
    const { allKeys: keys, again } = nothing;
    const database = this.#databases.selected(nothing.database);
    const type = waitedType(nothing.type.name, nothing.group);
    return { database, keys, type, again };
  }

  /**
   * The same before an attempt, wherever the group is in its order: of the command's keys, those of
   * this group. Undefined: it is none that waits.
   */
  noteKeys(args: Arguments, wait: WaitId): Waiting | undefined {
    const { waits } = commandFor(args) ?? {};
    const type = waits && valueTypeNamed(waits.type);
    if (waits === undefined || type === undefined) return undefined;
    const { database } = args;
    const { fromSlot, toSlot } = this.#group;
    const isHere = (i: number): boolean =>
      args.slot(i) >= firstSlotOf(fromSlot) && args.slot(i) < firstSlotOf(toSlot);
    const groupAt = waits.groupAt?.(args);
    const group = groupAt === undefined ? undefined : args.text(groupAt);
    const at = waits.keysOf(args);
    const keys = at.map((i) => args.text(i));
    const own = at.filter(isHere).map((i) => args.text(i));
    const its = { keys: own, allKeys: keys, type, group, again: undefined };
    this.#databases.of(database).noteKeys(wait, its);
    return { database, keys, type: waitedType(type.name, group), again: undefined };
  }

  /** Another client waits for the same keys in the place of this one. */
  passWait(wait: WaitId, to: WaitId): void {
    this.#databases.context.waited?.pass(wait, to);
  }

  stopWaiting(wait: WaitId): void {
    const { context } = this.#databases;
    context.waited?.remove(wait);
    if (context.waited?.isEmpty === true && !context.waited.isLost) context.waited = undefined;
  }

  /**
   * Keys that are waited for and were written since the last call. `lost`: nothing is waited for
   * any more, since databases were emptied or swapped, and all clients are to try again.
   */
  ready(): readonly ReadyKey[] | 'lost' {
    const { context } = this.#databases;
    if (context.waited === undefined) return NO_KEYS;
    if (context.waited.isLost) {
      context.waited = undefined;
      return 'lost';
    }
    return context.waited.take((physical) => this.#databases.selected(physical));
  }

  /** Which keyspace events are told, from the next transaction on; see `KeyEvents.of`. */
  set eventFlags(flags: string) {
    this.#eventFlags = flags;
    if (!this.#open) this.#followEventFlags();
  }

  #followEventFlags(): void {
    if (this.#eventFlags === undefined) return;
    this.#databases.context.keyEvents = KeyEvents.of(this.#eventFlags);
    this.#eventFlags = undefined;
  }

  /** Keyspace events that wait to be taken. */
  get eventCount(): number {
    return this.#databases.context.keyEvents?.count ?? 0;
  }

  /** Those behind the first `from`; the caller tells them, or drops them. */
  takeEvents(from = 0): readonly Notification[] {
    const { keyEvents } = this.#databases.context;
    return keyEvents === undefined || keyEvents.count === from ? NO_EVENTS : keyEvents.take(from);
  }

  /** Of scripts of this node's clients, beside the keys; the caller does them. */
  get sideEffects(): SideEffects {
    return this.#databases.context.sideEffects;
  }

  /** Whether clients of this node keep what they have read. */
  set tracksWrites(tracks: boolean) {
    const { context } = this.#databases;
    context.written = tracks ? (context.written ?? new WrittenKeys()) : undefined;
  }

  /** Keys written since the last call; undefined: none, or nobody keeps any. */
  takeWritten(): Written | undefined {
    return this.#databases.context.written?.take();
  }

  /** Ends the transaction; sequences have no gaps. */
  commit(applySequence: number): void {
    if (!this.#open) throw new ApplyOrderError('a commit without an open transaction');
    if (applySequence !== this.#appliedSequence + 1) {
      const order = `${applySequence} after ${this.#appliedSequence}`;
      throw new ApplyOrderError(`transactions were applied out of sequence: ${order}`);
    }
    this.#assertNotPaused();
    this.#open = false;
    this.#spanning = undefined;
    this.#unitsStored = 0;
    this.#appliedSequence = applySequence;
    this.#settings = this.#databases.settings;
  }

  #beginUnit(): void {
    this.#units += 1;
    this.#unitEnded = false;
    this.#databases.context.beginUnit();
  }

  /**
   * Serves a command that only reads, at the given time, and changes nothing. `false`, with nothing
   * written to `out`: it needs a transaction, since it writes, or since one of its keys is past its
   * deadline, and only a transaction may remove that key. At `TIME_UNKNOWN_MS` every deadline may
   * be past.
   */
  read(args: Arguments, nowMs: number, out: ReplySink): boolean {
    let outcome = this.startRead(args, nowMs, out);
    while (outcome === 'more') outcome = this.moreOfRead();
    return outcome === 'done';
  }

  /** As `read`, but a long command only begins: its steps follow with `moreOfRead`. */
  startRead(args: Arguments, nowMs: number, out: ReplySink): ReadOutcome {
    if (this.#open) throw new ApplyOrderError('a read ran inside a transaction');
    this.#assertNotPaused();
    return this.#read(args, nowMs, out);
  }

  moreOfRead(): ReadOutcome {
    const { out } = this.#pausedOne();
    try {
      return this.#step() ? 'done' : 'more';
    } catch (error) {
      return readEndedWith(error, out);
    }
  }

  /**
   * As `startRead`, while a transaction is open, or between two steps of another read. Reads no key
   * of theirs: the caller sees to that. `more`: it would take long, so nothing was done; what was
   * written to `out` is void.
   */
  readBetween(args: Arguments, nowMs: number, out: ReplySink): ReadOutcome {
    const { context } = this.#databases;
    const paused = this.#paused;
    const spanning = this.#spanning;
    const suspended = context.suspend();
    this.#paused = undefined;
    this.#spanning = undefined;
    try {
      return this.#read(args, nowMs, out);
    } finally {
      this.#paused = paused;
      this.#spanning = spanning;
      context.resume(suspended);
    }
  }

  /** The rows that a read would look up first in the engine. */
  rowsToRead(args: Arguments): readonly KeyRow[] {
    const command = commandFor(args);
    if (command?.kind !== 'read' || typeof command.keys === 'string') return [];
    if (refusalOf(command, args) !== undefined) return [];
    const keyspace = this.#databases.of(args.database);
    return keysAmong(command.keys, args).flatMap((i) => keyspace.rowToRead(args, i) ?? []);
  }

  #read(args: Arguments, nowMs: number, out: ReplySink): ReadOutcome {
    const command = commandFor(args);
    const refusal = this.#refusalOf(command, args);
    if (command === undefined || refusal !== undefined) {
      out.error(refusal ?? '');
      return 'done';
    }
    if (command.kind !== 'read') return 'transaction';
    const { context } = this.#databases;
    context.beginRead(Math.floor(nowMs));
    context.counting = !this.#databases.isMeta;
    context.mayPause = true;
    if (meetsDeadline(this.#databases.of(args.database), command, args)) return 'transaction';
    try {
      return this.#begin(command, args, out) ? 'done' : 'more';
    } catch (error) {
      return readEndedWith(error, out);
    }
  }

  /**
   * All changes, for a flush. In an open transaction, those of its units so far: a machine opened
   * over the engine continues behind them. One at a time.
   */
  capture(): Capture {
    return this.#databases.capture(this.#appliedSequence, this.#open ? this.#units : 0);
  }

  /**
   * Some keys of one database past their deadline for HOLO.EXPIRE, at most `keysMax` and at most
   * `bytesMax` bytes. Each call visits a constant number of keys and continues where the last one
   * ended. The engine reads a key's value along with its deadline, so large values are looked at
   * less often.
   */
  expired(keysMax: number, nowMs: number, bytesMax = Infinity): ExpiredKeys {
    const found: string[] = [];
    this.#expiryBacklog = false;
    const keyspace = this.#expiryKeyspace();
    const database = this.#expiryDatabase;
    if (keyspace === undefined) return { database, keys: found };
    this.#expiryReadBytes = Math.max(0, this.#expiryReadBytes - EXPIRY_READ_BYTES);
    if (this.#expiryReadBytes > 0) return { database, keys: found };
    const page = keyspace.page(this.#expiryPosition, EXPIRY_SAMPLE_KEYS);
    this.#expiryPosition = page.next;
    for (const { entry } of page.items) this.#expiryReadBytes += storedBytes(entry);
    let withDeadline = 0;
    let bytes = 0;
    let leftMs = 0;
    let living = 0;
    for (const item of page.items) {
      if (item.entry.deadline === NO_DEADLINE) continue;
      withDeadline += 1;
      if (item.entry.deadline > nowMs) {
        leftMs += Number(item.entry.deadline) - nowMs;
        living += 1;
        continue;
      }
      const full = found.length === keysMax || bytes + item.key.length > bytesMax;
      if (full && found.length > 0) {
        this.#expiryPosition = positionOf(item.slot, item.place);
        break;
      }
      found.push(item.key);
      bytes += item.key.length;
    }
    if (living > 0) this.#databases.sampleTtl(database, leftMs / living);
    this.#expiryBacklog = found.length * EXPIRY_BACKLOG_ONE_IN > withDeadline;
    // The next database follows when this one has been walked to its end.
    if (this.#expiryPosition === 0) this.#expiryDatabase = (database + 1) % DATABASES;
    return { database, keys: found };
  }

  /** The database that is being walked, or the next one that has keys with a deadline. */
  #expiryKeyspace(): GroupKeyspace | undefined {
    for (let tried = 0; tried < DATABASES; tried += 1) {
      const keyspace = this.#databases.of(this.#expiryDatabase);
      if (keyspace.volatileSize > 0) return keyspace;
      this.#expiryDatabase = (this.#expiryDatabase + 1) % DATABASES;
      this.#expiryPosition = 0;
    }
    return undefined;
  }

  /** The last call of `expired` found so many that the next one should follow soon. */
  get expiryBacklog(): boolean {
    return this.#expiryBacklog;
  }

  /** All entries in hash order, database by database. Execute nothing during the iteration. */
  *entries(): Generator<StoredEntry, void, undefined> {
    for (const keyspace of this.#databases.open) {
      if (keyspace.database < DATABASES) yield* entriesOf(keyspace);
    }
  }

  /**
   * A hash over all keys, values, deadlines, versions and marks of removals that does not depend on
   * their order or on the cache: equal on two machines exactly when (for all practical purposes)
   * they agree.
   */
  digest(): string {
    if (this.#databases.isMeta) return digestOfTable(this.#settings);
    const digest = new KeyspaceDigest();
    for (const keyspace of this.#databases.open) {
      for (const item of entriesOf(keyspace)) {
        digest.add(keyspace.database, item.key, keyspace.wholeEntry(item));
      }
    }
    this.#databases.addMarks(digest);
    return digest.toString();
  }
}

/** A table travels as names and values, so they are all that replicas agree on. */
function digestOfTable({ version, values }: ClusterSettings): string {
  const digest = new KeyspaceDigest();
  for (const [name, value] of [...values, [VERSION_ROW, String(version)] as const]) {
    digest.add(TABLE_DATABASE, name, new Entry(STRING, value, NO_DEADLINE, ZERO));
  }
  return digest.toString();
}

/** Behind a position of a slot that is drawn by its number of keys, or before it. */
function anyLivingKey(
  keyspace: GroupKeyspace,
  { hlc, node, store }: Timestamp,
): string | undefined {
  const random = new SeededRandom(hlc, Math.floor(hlc / 2 ** 32) ^ (node << 16), store);
  const slot = firstSlotOf(keyspace.slotOfNth(random.below(keyspace.size)));
  const start = positionOf(slot + random.below(firstSlotOf(1)), random.below(2 ** 32));
  const nowMs = Math.floor(hlc / 1000);
  let left = ANY_KEY_VISITS_MAX;
  for (const from of [start, 0]) {
    for (let position = from; left > 0; ) {
      const page = keyspace.page(position, ANY_KEY_PAGE);
      const found = page.items.find(({ entry }) => !entry.expired(nowMs));
      if (found !== undefined) return found.key;
      left -= Math.max(1, page.items.length);
      position = page.next;
      if (position === 0) break;
    }
  }
  return undefined;
}

function* concat<T>(first: Iterable<T>, second: Iterable<T>): Generator<T> {
  yield* first;
  yield* second;
}

/** The intervals of positions of these conflict slots. */
function positionsOf(footprint: Footprint): readonly (readonly [number, number])[] {
  if (footprint === undefined) return [[0, POSITIONS]];
  return [...footprint].map((slot) => [positionOf(slot, 0), positionOf(slot + 1, 0)]);
}

function* entriesOf(keyspace: GroupKeyspace): Generator<StoredEntry, void, undefined> {
  let position = 0;
  do {
    const page = keyspace.page(position, ITERATION_KEYS);
    yield* page.items;
    position = page.next;
  } while (position !== 0);
}

function readEndedWith(error: unknown, out: ReplySink): ReadOutcome {
  if (error === PAST_DEADLINE) return 'transaction';
  if (error !== WRONG_TYPE) throw error;
  out.error(WRONG_TYPE_ERROR);
  return 'done';
}

/**
 * A read of one key finds the deadline at the look-up, before it answers; a read of several keys
 * would have begun its answer by then.
 */
function meetsDeadline(keyspace: GroupKeyspace, command: Command, args: Arguments): boolean {
  if (typeof command.keys === 'string' || hasOneKey(command.keys)) return false;
  const keys = keysAmong(command.keys, args);
  if (keys.length === 1) return false;
  for (const i of keys) if (keyspace.isPastDeadline(args, i)) return true;
  return false;
}

function namesManyKeys({ keys, kind }: Command): boolean {
  if (typeof keys === 'string') return keys === 'whole-store' && kind === 'write';
  return !hasOneKey(keys);
}

function refusalOf(command: Command | undefined, args: Arguments): string | undefined {
  if (command === undefined) return unknownCommandError(args);
  if (!fitsArity(command.arity, args.count)) return arityError(command.name);
  return argumentRefusal(command, args);
}
