/**
 * The fault injector: draws what goes wrong, where, and for how long, and counts it by kind. It
 * never destroys what a majority needs: of N machines at most f are damaged for good.
 */
import { LineageError } from '../../actors/log/lineage.ts';
import type { SystemFailure } from '../../actors/runtime/actor-system.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { EngineError } from '../../storage/errors.ts';
import { POSITIONS } from '../../storage/keyspace/slots.ts';
import { WalError } from '../../wal/wal-error.ts';
import { FAULT_KINDS, FAULT_WEIGHTS, type FaultKind, NO_DAMAGE } from './fault-kinds.ts';
import type { Profile } from './profile.ts';
import type { CrashKind } from './sim-disk.ts';
import { SECTOR_BYTES } from './sim-disk.ts';
import { COMMIT_FAULTS } from './sim-engine.ts';
import type { SimNetwork } from './sim-network.ts';
import { SIM_DIRECTORY, type SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

const HUGE_BYTES = 1024 ** 3;
/** Sends, writes and commits until a crash at one of them. */
const EFFECTS_MAX = 40;
/** So many crashes of its actors in short order must not end a node; more may. */
const RESTARTS_SURVIVED = 3;
/** Of the damaged nodes, how many get their disk back as it was. */
const RESTORED_RATE = 0.6;
const RESTORE_MS_MAX = 4_000;
/** A node that dies of a cut of its log does so within this time. */
const CUT_CRASH_MS_MAX = 20;

/** Ends of actors that faults lead to, at once or through the log; others are the node's own. */
const EXPLAINED =
  /^(Error: injected|Error: the WalWriter is gone|WalError|EngineError|LineageError)/;

export function explainsCrash(error: string): boolean {
  return EXPLAINED.test(error);
}

export interface FaultOptions {
  readonly profile: Profile;
  readonly scheduler: VirtualScheduler;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly rng: SeededRng;
  readonly count: (what: string) => void;
  readonly note: (what: string) => void;
}

export class FaultInjector {
  readonly #options: FaultOptions;
  readonly #rng: SeededRng;
  readonly #weights: Readonly<Record<FaultKind, number>>;
  #quiet = false;
  /** Down until `heal`. */
  readonly #away = new Set<SimNode>();
  /** The node whose clock is wrong for a while; never two, a majority must be right. */
  #strayed: { readonly node: SimNode; readonly ms: number } | undefined;
  #setBackMs = 0;
  /** By node that is damaged: what its operator can do about it. */
  readonly #remedies = new Map<SimNode, () => void>();

  constructor(options: FaultOptions) {
    this.#options = options;
    this.#rng = options.rng;
    const { clockJumps, damage, faultMix } = options.profile;
    const usual: Record<FaultKind, number> = {
      ...FAULT_WEIGHTS,
      ...(clockJumps ? {} : { clockJump: 0 }),
      ...(damage ? {} : NO_DAMAGE),
    };
    this.#weights = { ...usual, ...faultMix };
  }

  #after(delayMs: number, run: () => void): void {
    this.#options.scheduler.after(delayMs, run);
  }

  #hit(what: string, node?: SimNode): void {
    this.#options.count(`fault ${what}`);
    this.#options.note(`${what} ${node?.id ?? ''}`);
  }

  begin(): void {
    const { faultEveryMsMax } = this.#options.profile;
    if (faultEveryMsMax === 0) return;
    this.#after(faultEveryMsMax * (0.2 + 0.8 * this.#rng.next()), () => {
      if (this.#quiet) return;
      this.#draw();
      this.begin();
    });
  }

  /** Some nodes are down all the while: the others keep what those have not seen. */
  takeAway(): void {
    const { nodes, profile } = this.#options;
    if (profile.away === undefined) return;
    const first = Math.floor(nodes.length * this.#rng.next());
    for (let count = 0; count < profile.away.nodes; count += 1) {
      const node = nodes[(first + count) % nodes.length];
      if (node === undefined) continue;
      this.#hit(profile.away.nodes > 1 ? 'two away throughout' : 'away for long', node);
      this.#away.add(node);
      this.#stop(node, profile.crashKind);
    }
  }

  #draw(): void {
    const { nodes } = this.#options;
    const victim = nodes[Math.floor(this.#rng.next() * nodes.length)];
    if (victim === undefined || victim.lost) return;
    let at = this.#rng.next() * Object.values(this.#weights).reduce((sum, each) => sum + each, 0);
    for (const kind of FAULT_KINDS) {
      at -= this.#weights[kind];
      if (at < 0) return this.#strike(kind, victim);
    }
  }

  #strike(kind: FaultKind, victim: SimNode): void {
    switch (kind) {
      case 'crash':
        return this.crash(victim);
      case 'crashAll':
        return this.#crashAll();
      case 'isolate':
        return this.#isolate(victim);
      case 'cutOneWay':
        return this.#cutOneWay(victim);
      case 'swizzle':
        return this.#swizzle();
      case 'slowDisk':
        return this.#slowDisk(victim);
      case 'crashActor':
        return this.#crashActor(victim);
      case 'pause':
        return this.#pause(victim);
      case 'failSync':
        return this.#failSync(victim);
      case 'fillDisk':
        return this.#fillDisk(victim);
      case 'clockJump':
        return this.#jumpClock(victim);
      case 'emptyDisk':
        return this.#emptyDisk(victim);
      case 'rotLog':
        return this.#rotLog(victim);
      case 'rotStore':
        return this.#rotStore(victim);
      case 'loseStore':
        return this.#remove('missing store', victim);
      case 'loseLog':
        return this.#remove('missing log', victim);
      case 'commit':
        return this.#failCommit(victim);
      case 'healOneByOne':
        return this.#healOneByOne(victim);
      case 'strayAndCrash':
        return this.#strayAndCrash(victim);
      case 'crashAtEffect':
        return this.#crashAtEffect(victim);
      case 'healStore':
        return this.#healStore(victim);
    }
  }

  /** A node that has just sent may die of it. */
  afterSend(from: number): void {
    const { profile, nodes } = this.#options;
    if (this.#quiet || profile.crashAfterSendRate === 0) return;
    if (this.#rng.next() >= profile.crashAfterSendRate) return;
    const node = nodes.find(({ id }) => id === from);
    // Not inside the turn that sends: the process ends between two instructions of its own.
    if (node !== undefined) this.#crashIn(0, node);
  }

  /** A node that has just cut its log may die, before the cut is durable or soon after. */
  afterCut(node: SimNode): void {
    const { crashAfterCutRate } = this.#options.profile;
    if (this.#quiet || crashAfterCutRate === 0) return;
    if (this.#rng.next() >= crashAfterCutRate) return;
    this.#hit('crash after a cut', node);
    this.#crashIn(CUT_CRASH_MS_MAX * this.#rng.next() ** 2, node);
  }

  #crashIn(delayMs: number, node: SimNode): void {
    const { blackoutRate } = this.#options.profile;
    if (blackoutRate > 0 && this.#rng.next() < blackoutRate) {
      this.#after(delayMs, () => this.#crashAll());
    } else if (this.#maySpare()) {
      this.#after(delayMs, () => this.crash(node));
    }
  }

  /** One more node may be away without the loss of the majority. */
  #maySpare(): boolean {
    const { nodes } = this.#options;
    const away = nodes.filter(({ up, swapped }) => !up || swapped).length;
    return away < Math.floor((nodes.length - 1) / 2);
  }

  /** One more node may be lost for good. */
  #mayLose(): boolean {
    const { nodes } = this.#options;
    // Damage that no read has met yet counts: sooner or later it ends its node.
    const isDoomed = (node: SimNode): boolean =>
      node.healing ||
      node.lost ||
      node.swapped ||
      node.rotten ||
      /log rot|missing/.test(node.expected ?? '');
    const lost = nodes.filter(isDoomed).length;
    return lost < Math.floor((nodes.length - 1) / 2);
  }

  // ---- processes --------------------------------------------------------------------------

  crash(node: SimNode): void {
    if (!node.up || node.swapped) return;
    this.#hit('crash', node);
    this.#setBackAll();
    this.#stop(node, this.#options.profile.crashKind);
    this.#startLater(node, 20 + this.#options.profile.downMsMax * this.#rng.next() ** 2);
  }

  /** A node dies as it is about to do something, while a majority is left. */
  crashAtAct(node: SimNode): void {
    if (!this.#quiet && this.#maySpare()) this.crash(node);
  }

  /** Somewhere within a turn: the rest of the turn has no effect outside. */
  #crashAtEffect(node: SimNode): void {
    if (!node.up || node.swapped || !this.#maySpare()) return;
    const effects = 1 + Math.floor(EFFECTS_MAX * this.#rng.next() ** 2);
    node.stopAtEffect(effects, () => {
      this.#options.count('stopped within a turn');
      this.#after(0, () => {
        if (node.frozen) this.crash(node);
      });
    });
  }

  #stop(node: SimNode, kind: CrashKind): void {
    // A power cut may take from every node what `on_flush` has answered: it promises less.
    const isOnFlush = this.#options.profile.syncPolicy === 'on_flush';
    if (node.up) node.crash(isOnFlush ? 'process' : kind);
  }

  #startLater(node: SimNode, delayMs: number): void {
    this.#after(delayMs, () => {
      if (node.up || node.lost || this.#away.has(node)) return;
      // A clock that was set back while the node was down must not make it repeat itself.
      if (this.#options.profile.clockJumps && this.#rng.next() < 0.3) node.jumpClock(-10_000);
      node.start();
    });
  }

  #crashAll(): void {
    this.#hit('crash of all');
    for (const node of this.#options.nodes) if (!node.lost) this.crash(node);
  }

  #crashActor(node: SimNode): void {
    const paths = ['wal'];
    for (const store of node.storeNames) {
      paths.push(`${store}/replica`, `${store}/executor`, `${store}/coordinator`);
    }
    const path = `node-${node.id}/${paths[Math.floor(this.#rng.next() * paths.length)]}`;
    if (!node.ready) return;
    this.#hit('actor crash', node);
    node.actorCrashes += 1;
    node.node?.system.crash(path, new Error('injected'));
  }

  #pause(node: SimNode): void {
    if (!node.up || node.paused) return;
    this.#hit('pause', node);
    node.pause();
    const scope = node.node;
    this.#after(50 + 4_000 * this.#rng.next() ** 2, () => {
      if (node.node === scope) node.resume();
    });
  }

  // ---- clocks -----------------------------------------------------------------------------

  #jumpClock(node: SimNode): void {
    this.#hit('clock jump', node);
    const kind = this.#rng.next();
    if (kind < 0.4) node.jumpClock((this.#rng.next() - 0.5) * 200);
    else if (kind < 0.7) node.jumpClock((this.#rng.next() - 0.5) * 20_000);
    else this.#strayClock(node);
  }

  /** By minutes or by years, until it is set right. */
  #strayClock(node: SimNode): void {
    if (this.#strayed !== undefined) return;
    this.#hit('clock astray', node);
    const ms = 90_000 * 400_000 ** this.#rng.next() * (this.#rng.next() < 0.5 ? -1 : 1);
    this.#strayed = { node, ms };
    node.jumpClock(ms);
    this.#after(200 + 3_000 * this.#rng.next(), () => this.#setRight());
  }

  /** Its clock is wrong beyond all limits as the node begins again. */
  #strayAndCrash(node: SimNode): void {
    if (this.#strayed !== undefined || !this.#maySpare()) return;
    this.#hit('clock astray, then a crash', node);
    this.#strayClock(node);
    this.#after(300 * this.#rng.next(), () => this.crash(node));
  }

  #setRight(): void {
    this.#strayed?.node.jumpClock(-this.#strayed.ms);
    this.#strayed = undefined;
  }

  /**
   * All clocks are set back together (their host's was): until they have caught up, only the log
   * tells which timestamps were used.
   */
  #setBackAll(): void {
    const { setBackMsMax } = this.#options.profile;
    if (this.#setBackMs >= setBackMsMax) return;
    this.#hit('clocks set back');
    const ms = Math.min(setBackMsMax - this.#setBackMs, (0.2 + this.#rng.next()) * setBackMsMax);
    this.#setBackMs += ms;
    for (const node of this.#options.nodes) node.jumpClock(-ms);
  }

  // ---- links ------------------------------------------------------------------------------

  #isolate(victim: SimNode): void {
    const { nodes, network } = this.#options;
    this.#hit('partition', victim);
    const bothWays = this.#rng.next() < 0.5;
    for (const peer of nodes) {
      if (peer === victim) continue;
      network.cut(victim.id, peer.id);
      if (bothWays) network.cut(peer.id, victim.id);
    }
    this.#after(200 + 2_500 * this.#rng.next(), () => network.mend());
  }

  /** Its links come back one after the other, each direction for itself. */
  #healOneByOne(victim: SimNode): void {
    const { nodes, network } = this.#options;
    this.#hit('partition that heals one by one', victim);
    for (const { id: peer } of nodes) {
      if (peer === victim.id) continue;
      for (const [from, to] of [
        [peer, victim.id],
        [victim.id, peer],
      ] as const) {
        network.cut(from, to);
        this.#after(200 + 4_000 * this.#rng.next(), () => network.mendLink(from, to));
      }
    }
  }

  #cutOneWay(victim: SimNode): void {
    const { nodes, network } = this.#options;
    const other = nodes[Math.floor(this.#rng.next() * nodes.length)];
    if (other === undefined || other === victim) return;
    this.#hit('one-way cut', victim);
    network.cut(victim.id, other.id);
    this.#after(200 + 2_000 * this.#rng.next(), () => network.mend());
  }

  /** Links stop one after the other, and come back in another order, with all they kept. */
  #swizzle(): void {
    const { nodes, network } = this.#options;
    this.#hit('swizzle');
    for (const from of nodes) {
      for (const to of nodes) {
        if (from === to || this.#rng.next() < 0.5) continue;
        const stopMs = 1_000 * this.#rng.next();
        this.#after(stopMs, () => {
          if (!this.#quiet) network.clog(from.id, to.id);
        });
        this.#after(1_000 + 1_500 * this.#rng.next(), () => network.unclog(from.id, to.id));
      }
    }
  }

  // ---- disks ------------------------------------------------------------------------------

  #slowDisk(victim: SimNode): void {
    this.#hit('slow disk', victim);
    const { disk } = victim;
    disk.stall();
    this.#after(1_500 * this.#rng.next(), () => disk.resume());
  }

  #failCommit(victim: SimNode): void {
    if (!victim.ready) return;
    const fault = COMMIT_FAULTS[Math.floor(this.#rng.next() * COMMIT_FAULTS.length)];
    this.#hit('commit', victim);
    victim.commitFault = fault;
  }

  /** A failed sync stops the node: whatever it has not said yet may be lost. */
  #failSync(victim: SimNode): void {
    if (!victim.ready || victim.expected !== undefined || !this.#maySpare()) return;
    this.#hit('sync error', victim);
    victim.expected = 'sync error';
    victim.disk.failSyncs(1);
  }

  #fillDisk(victim: SimNode): void {
    if (!victim.ready || victim.expected !== undefined || victim.swapped) return;
    this.#hit('full disk', victim);
    const { disk } = victim;
    victim.expected = 'full disk';
    disk.capacityBytes = HUGE_BYTES - disk.freeBytes('') + Math.floor(20_000 * this.#rng.next());
    this.#after(300 + 2_500 * this.#rng.next(), () => {
      disk.capacityBytes = HUGE_BYTES;
      if (victim.expected === 'full disk') victim.expected = undefined;
    });
  }

  /** The disk of a node that is down is changed: its peers must not let it in. */
  #emptyDisk(victim: SimNode): void {
    if (!victim.up || victim.swapped || !this.#maySpare() || !this.#mayLose()) return;
    this.#hit('empty disk', victim);
    this.#stop(victim, 'power');
    victim.swapDisk();
    this.#after(100, () => victim.start());
    this.#after(1_000 + 2_000 * this.#rng.next(), () => this.giveBack(victim));
  }

  giveBack(node: SimNode): void {
    if (!node.swapped) return;
    this.#stop(node, 'power');
    node.restoreDisk();
    node.start();
  }

  /** A bit flips in the midst of the log: the node must refuse to start. */
  #rotLog(victim: SimNode): void {
    if (!victim.up || victim.swapped || !this.#maySpare() || !this.#mayLose()) return;
    this.#stop(victim, 'power');
    const place = middleOfLog(victim, this.#rng);
    if (place !== undefined) {
      this.#hit('log rot', victim);
      const bit = Math.floor(this.#rng.next() * 8);
      const { disk } = victim;
      disk.flipBit(place.path, place.offset, bit);
      this.#remedies.set(victim, () => disk.flipBit(place.path, place.offset, bit));
      victim.expected = 'log rot';
    }
    victim.start();
  }

  /** A bit flips in a stored value: a node that reads it must stop, and never pass it on. */
  #rotStore(victim: SimNode): void {
    if (!victim.up || victim.swapped || !this.#maySpare() || !this.#mayLose()) return;
    this.#stop(victim, 'power');
    const { databases } = victim.store;
    const database = databases[Math.floor(this.#rng.next() * databases.length)] ?? 0;
    const keys = victim.store.page(database, 0, POSITIONS, 1_000).map(({ key }) => key);
    const key = keys[Math.floor(this.#rng.next() * keys.length)];
    const bit = Math.floor(this.#rng.next() * 2_000);
    const { store } = victim;
    if (key !== undefined && store.flipBit(database, key, bit)) {
      this.#hit('store rot', victim);
      const damaged = Buffer.from(store.get(database, key)?.bytes ?? []);
      this.#remedies.set(victim, () => {
        // Its last commit may have written a sound value there.
        const stored = store.get(database, key)?.bytes ?? Buffer.alloc(0);
        if (damaged.equals(stored)) store.flipBit(database, key, bit);
      });
      victim.expected = 'store rot';
      victim.rotten = true;
    }
    victim.start();
  }

  /** The store or the log of a node that is down is removed: it must not start. */
  #remove(what: 'missing store' | 'missing log', victim: SimNode): void {
    if (!victim.up || victim.swapped || !this.#maySpare() || !this.#mayLose()) return;
    this.#stop(victim, 'power');
    this.#hit(what, victim);
    const putBack = what === 'missing store' ? victim.loseStore() : victim.loseLog();
    this.#remedies.set(victim, putBack);
    victim.expected = 'missing';
    victim.start();
  }

  /** Its store is removed for good: the node begins it anew, with its log and the data of others. */
  #healStore(victim: SimNode): void {
    if (!victim.up || victim.swapped || !this.#maySpare() || !this.#mayLose()) return;
    this.#hit('store begun anew', victim);
    this.#stop(victim, this.#rng.next() < 0.5 ? 'power' : 'process');
    victim.healStore();
    this.#startLater(victim, 20 + 1_000 * this.#rng.next() ** 2);
  }

  // ---- ends -------------------------------------------------------------------------------

  /** Whether this failure is what an injected fault must lead to; then it is dealt with. */
  explains(node: SimNode, failure: SystemFailure): boolean {
    const { error } = failure;
    const { expected } = node;
    if (expected === 'sync error' && isDeadLog(error)) {
      this.#options.count('stopped by a sync error');
      this.#after(0, () => this.#stop(node, 'process'));
      this.#startLater(node, 50 + 500 * this.#rng.next());
      return true;
    }
    if (expected === 'full disk' && error instanceof WalError) {
      this.#after(0, () => this.#stop(node, 'process'));
      this.#startLater(node, 3_000);
      return true;
    }
    if (node.actorCrashes > RESTARTS_SURVIVED && failure.kind === 'escalated') {
      this.#options.count('escalated');
      this.#after(0, () => this.#stop(node, 'process'));
      this.#startLater(node, 50 + 500 * this.#rng.next());
      return true;
    }
    if (expected === 'missing' && error instanceof LineageError) {
      const isLog = error.code === 'HOLO_DATA_LOG_MISSING';
      return this.#lose(node, isLog ? 'missing log refused' : 'missing store refused');
    }
    if (expected === 'log rot' && isDamage(error)) return this.#lose(node, 'log rot refused');
    if (node.rotten && error instanceof EngineError && error.code === 'HOLO_STORE_DAMAGED') {
      return this.#lose(node, 'store rot found');
    }
    return false;
  }

  #lose(node: SimNode, what: string): true {
    this.#options.count(what);
    node.lost = true;
    this.#after(0, () => this.#stop(node, 'power'));
    if (this.#rng.next() < RESTORED_RATE) {
      this.#after(200 + RESTORE_MS_MAX * this.#rng.next(), () => this.#restore(node, what));
    }
    return true;
  }

  /** The remedy that the node names: what was there is put back, and the node is started. */
  #restore(node: SimNode, what: string): void {
    const remedy = this.#remedies.get(node);
    if (remedy === undefined || this.#quiet || node.up) return;
    this.#options.note(`restored ${node.id}`);
    remedy();
    this.#remedies.delete(node);
    node.lost = false;
    node.rotten = false;
    node.start();
    this.#options.count(`restored after ${what}`);
  }

  heal(): void {
    this.#quiet = true;
    this.#away.clear();
    this.#setRight();
    const { nodes, network } = this.#options;
    network.mend();
    for (const from of nodes) for (const to of nodes) network.unclog(from.id, to.id);
    for (const node of nodes) {
      node.disk.capacityBytes = HUGE_BYTES;
      node.disk.failSyncs(0);
      node.disk.resume();
      node.resume();
      this.giveBack(node);
      if (!node.up && !node.lost) node.start();
    }
  }
}

function isDeadLog(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'HOLO_WAL_FAILED' || code === 'HOLO_WAL_UNREADABLE' || code === 'EIO';
}

function isDamage(error: unknown): boolean {
  return error instanceof WalError && /DAMAGED|MISSING|FOREIGN|VERSION|UNREADABLE/.test(error.code);
}

/** A byte of the log that is followed by a good deal of records that were written later. */
function middleOfLog(
  node: SimNode,
  rng: SeededRng,
): { readonly path: string; readonly offset: number } | undefined {
  const names = node.disk.list(SIM_DIRECTORY).filter((name) => name.startsWith('wal-'));
  const [first] = names;
  if (first === undefined) return undefined;
  const path = `${SIM_DIRECTORY}/${first}`;
  const bytes = node.disk.read(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  const last = names.length > 1 ? end : end - 16 * SECTOR_BYTES;
  if (last < 2 * SECTOR_BYTES) return undefined;
  return { path, offset: Math.floor(SECTOR_BYTES + (last - SECTOR_BYTES) * 0.7 * rng.next()) };
}
