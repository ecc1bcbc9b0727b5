/**
 * The data of groups that come and go with their members: an executor writes what comes in between
 * two flushes, reads for others what it has left, and removes that when nobody needs it.
 */
import type { GroupSlots } from '../../storage/engine.ts';
import type { EngineError } from '../../storage/errors.ts';
import type { StateMachines } from '../../storage/state-machines.ts';
import { type GroupId, GroupMap, isMetaGroup } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import {
  type ChunkInstalled,
  type ExecutorMessage,
  failureOf,
  type ReplicaActorMessage,
} from './messages.ts';

type OfType<Type extends ExecutorMessage['type']> = Extract<
  ExecutorMessage,
  { readonly type: Type }
>;
type Install = OfType<'Install'>;
type InstallTable = OfType<'InstallTable'>;
type DataMessage = OfType<
  | 'ReadEnded'
  | 'FindGroup'
  | 'Install'
  | 'InstallTable'
  | 'InstallDone'
  | 'PlaceFound'
  | 'DropEnded'
  | 'GiveUp'
>;

interface GroupDataOptions {
  readonly machines: StateMachines;
  /** The executor of this incarnation. */
  readonly self: ActorRef<ExecutorMessage>;
  readonly replica: Outlet<ReplicaActorMessage>;
  /** Data come in; these groups were open with slots of theirs. */
  readonly begun: (abandoned: readonly GroupId[]) => void;
  /** The data of a group are whole. */
  readonly opened: (group: GroupSlots) => void;
  /** A commit that is no flush has ended. */
  readonly committed: (error: EngineError | undefined) => void;
  readonly onDiskFull: () => void;
}

const NO_BYTES = new Uint8Array(0);

export class GroupData {
  readonly #options: GroupDataOptions;
  /** Chunks, and tables; each goes to the engine by itself. */
  readonly #installs: (Install | InstallTable)[] = [];
  readonly #toDrop: GroupId[] = [];
  readonly #toGiveUp: GroupSlots[] = [];
  /** The end of a table that comes in: its place in the order is asked for. */
  readonly #placing = new GroupMap<Install>();

  constructor(options: GroupDataOptions) {
    this.#options = options;
  }

  receive(message: DataMessage): void {
    switch (message.type) {
      case 'ReadEnded': {
        const { group, token, from, bytesMax, replyTo } = message;
        const chunk = this.#options.machines.readEnded(group, from, bytesMax);
        // The asker asks again.
        return tellOrDrop(replyTo, { type: 'EndedRead', token, chunk });
      }
      case 'FindGroup': {
        const { group, replyTo } = message;
        return tell(replyTo, group, this.#isOpen(group) ? 'open' : 'failed');
      }
      case 'Install':
      case 'InstallTable':
        this.#installs.push(message);
        return;
      case 'InstallDone':
        return this.#installDone(message);
      case 'PlaceFound': {
        const end = this.#placing.get(message.group);
        this.#placing.delete(message.group);
        if (end === undefined) return;
        const rest = { isFirst: false, bytes: NO_BYTES, sequence: message.sequence };
        this.#installs.push({ ...end, ...rest });
        return;
      }
      case 'DropEnded':
        this.#toDrop.push(message.group);
        return;
      case 'GiveUp':
        this.#toGiveUp.push(message.group);
        return;
    }
  }

  /** While no flush is under way. `true`: the engine is busy now. */
  advance(): boolean {
    const { machines, committed } = this.#options;
    const install = this.#installs.shift();
    if (install !== undefined) this.#install(install);
    if (machines.flushing) return true;
    const needless = this.#toGiveUp.shift();
    if (needless !== undefined) this.#giveUp(needless);
    if (machines.flushing) return true;
    const left = this.#toDrop.shift();
    if (left === undefined) return false;
    machines.dropEnded(left, committed);
    return machines.flushing;
  }

  /** Its join has made void what was here of its slots. */
  #giveUp(group: GroupSlots): void {
    if (this.#isOpen(group.id)) return;
    const { machines, begun, committed, replica } = this.#options;
    begun(machines.abandonOlder(group));
    machines.giveUp(group, committed);
    replica.send({ type: 'GaveUp', group: group.id });
  }

  /** It has all its data, or had them once. */
  #isOpen(group: GroupId): boolean {
    const { machines } = this.#options;
    return machines.of(group) !== undefined || machines.hasEnded(group);
  }

  #install(install: Install | InstallTable): void {
    const { group, replyTo } = install;
    const { machines, self, begun } = this.#options;
    if (this.#isOpen(group.id)) return tell(replyTo, group.id, 'open');
    const isVoid = machines.isSuperseded(group) || machines.isAbandoned(group.id);
    if (isVoid) return tell(replyTo, group.id, 'failed');
    const isTable = install.type === 'InstallTable';
    if (isTable || install.isFirst) begun(machines.abandonOlder(group));
    const isPlaced = !isTable && isToBePlaced(install);
    if (isPlaced) this.#placing.set(group.id, install);
    else this.#placing.delete(group.id);
    const isLast = isTable || (!isPlaced && install.description !== undefined);
    const done = (error: EngineError | undefined): void => {
      const failure = failureOf(error);
      // Refused only when this incarnation has ended; the sender begins anew.
      tellOrDrop(self, { type: 'InstallDone', group, failure, isLast, replyTo });
    };
    if (isTable) return machines.installTable(group, install.table, done);
    const { description } = install;
    machines.install(group, { ...install, description: isLast ? description : undefined }, done);
  }

  #installDone({ group, failure, isLast, replyTo }: OfType<'InstallDone'>): void {
    if (failure?.code === 'HOLO_STORE_DISK_FULL') this.#options.onDiskFull();
    if (failure !== undefined) return tell(replyTo, group.id, 'failed');
    const { machines, opened, replica } = this.#options;
    const { description } = this.#placing.get(group.id) ?? {};
    if (description !== undefined) {
      const at = machines.lastChangeIn(group.id, description);
      return replica.send({ type: 'FindPlace', group: group.id, at });
    }
    if (isLast) opened(group);
    tell(replyTo, group.id, isLast ? 'open' : 'stored');
  }
}

/** Within its generation the table goes on in the middle of the order: its place is asked for. */
function isToBePlaced({ group, description, sequence }: Install): boolean {
  return description !== undefined && sequence === undefined && isMetaGroup(group.id);
}

function tell(
  replyTo: Install['replyTo'],
  group: GroupId,
  outcome: ChunkInstalled['outcome'],
): void {
  // The sender asks again when it hears nothing.
  tellOrDrop(replyTo, { type: 'ChunkInstalled', group, outcome });
}
