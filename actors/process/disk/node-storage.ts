/**
 * The disk of one node: owns the data directory, its lock and the lineage, and opens the log and
 * the engine in it. Marks their positions at intervals, so that the next start notices a loss.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import type { Engine } from '../../../storage/engine.ts';
import { lostGroup } from '../../../storage/engine.ts';
import { EngineError } from '../../../storage/errors.ts';
import type { TableHashKey } from '../../../storage/keyspace/table-hash.ts';
import { NodeDisk } from '../../../wal/node-disk.ts';
import type { WriteAheadLog } from '../../../wal/write-ahead-log.ts';
import type { GroupDescriptor } from '../../accord/topology/group.ts';
import { Forgotten } from '../../log/forgotten.ts';
import { Lineage, LineageError } from '../../log/lineage.ts';
import type { WalOptions } from '../../log/wal-actor.ts';
import type { Clock } from '../../runtime/ports/ports.ts';
import { CheckedStore } from './checked-store.ts';
import { DataDirectory, type DataDirectoryOptions } from './data-directory.ts';
import {
  findStore,
  isNotedDamaged,
  LineageFile,
  markStore,
  noteDamage,
  removeStore,
} from './lineage-file.ts';

const LOG_DIRECTORY = 'wal';
const STORE_DIRECTORY = 'store';
/** How often the positions of log and store are marked. */
const MARK_EVERY_MS = 5_000;

interface NodeStorageOptions {
  readonly directory: Omit<DataDirectoryOptions, 'lineage'>;
  readonly engine: 'lmdb' | 'memory';
  /** A store that is missing or damaged is begun anew. */
  readonly healsStore: boolean;
  /** The groups that the node begins with, before it reads its log. */
  readonly groups: () => readonly GroupDescriptor[];
  readonly segmentBytes: number;
  readonly recordBytesMax: number;
  readonly logBufferBytesMax: number;
  readonly logBytesMax: number;
  readonly syncMethod: 'fdatasync' | undefined;
  readonly tableHashKey: TableHashKey;
  /** Of the running executor; 0 while there is none. */
  readonly flushedSequence: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface AnewStore {
  readonly storeId: string;
  engine: LmdbEngine | undefined;
  outcome: 'none' | 'pending' | 'done' | Error;
}

export class NodeStorage {
  readonly directory: DataDirectory;
  readonly openEngine: () => Engine | undefined;
  readonly #options: NodeStorageOptions;
  readonly #lineageFile: LineageFile;
  readonly #lineage: Lineage;
  readonly #disk: NodeDisk;
  #log: WriteAheadLog | undefined;
  readonly #forgotten = new Forgotten();
  /** A store that was begun anew, until it says what is lost, and the lineage names it. */
  #anew: AnewStore | undefined;
  /** undefined when the engine is in memory. */
  #store: CheckedStore | undefined;
  #nextMarkMs = 0;

  /** @throws DataDirectoryError, LineageError */
  constructor(options: NodeStorageOptions) {
    this.#options = options;
    const file = new LineageFile(options.directory.path);
    this.#lineageFile = file;
    this.#lineage = new Lineage(file.state, (state) => file.save(state));
    this.directory = DataDirectory.open({
      ...options.directory,
      lineage: {
        existed: file.existed,
        revision: file.state.identityRevision,
        begin: () => file.save(this.#lineage.state),
        onRevision: (identityRevision) => this.#lineage.update({ identityRevision }),
      },
    });
    const { syncMethod } = options;
    this.#disk = new NodeDisk(syncMethod === undefined ? {} : { syncMethod });
    this.openEngine = this.#engineOpener();
  }

  /** The progress of the store's check; undefined when none is running. */
  get checkProgress(): string | undefined {
    return this.#store?.progress;
  }

  readonly openLog: WalOptions['open'] = (onRecord) => {
    const { segmentBytes, recordBytesMax, logBufferBytesMax, logBytesMax } = this.#options;
    const options = {
      newLogId: randomBytes(16),
      segmentBytes,
      recordBytesMax,
      pendingBytesMax: logBufferBytesMax,
      logBytesMax,
    };
    const { flushedSequence } = this.#options;
    const directory = join(this.directory.path, LOG_DIRECTORY);
    const note: typeof onRecord = (record) => {
      this.#forgotten.note(record);
      onRecord(record);
    };
    this.#log = this.#lineage.openLog(this.#disk, directory, options, flushedSequence, note);
    const { records, tornTails, cutBytes } = this.#log.replayed;
    this.#options.logger.info({ records, tornTails, cutBytes }, 'the log is open');
    return this.#log;
  };

  #engineOpener(): () => Engine | undefined {
    const { engine, tableHashKey, clock, logger } = this.#options;
    if (engine === 'memory') {
      const store = new MemoryStore(tableHashKey);
      return () => new MemoryEngine({ store, defer: (callback) => setImmediate(callback) });
    }
    const directory = join(this.directory.path, STORE_DIRECTORY);
    const store = new CheckedStore({
      directory,
      open: (onClosed) => this.#openStore(directory, onClosed),
      nowMs: () => clock.monotonicMs(),
      onChecked: (keys, elapsedMs) => {
        logger.info({ keys, elapsedMs: Math.round(elapsedMs) }, 'the store has been checked');
      },
    });
    this.#store = store;
    return () => {
      // The log says what is lost with a store.
      if (this.#options.healsStore && this.#log === undefined) return undefined;
      return this.#finished(this.#anew?.engine ?? store.open());
    };
  }

  #openStore(directory: string, onClosed: () => void): LmdbEngine {
    if (!this.#options.healsStore) return this.#openFound(directory, onClosed);
    try {
      if (!isNotedDamaged(directory)) return this.#openFound(directory, onClosed);
    } catch (error) {
      const isDamaged = error instanceof EngineError && error.code === 'HOLO_STORE_DAMAGED';
      const isOpen = isNotedDamaged(directory);
      if (isOpen || (!isDamaged && !(error instanceof LineageError))) throw error;
      this.#options.logger.warn({ code: error.code }, `the store is dropped: ${error.message}`);
    }
    removeStore(directory);
    const storeId = randomBytes(16).toString('hex');
    markStore(directory, storeId);
    this.#anew = { storeId, engine: undefined, outcome: 'none' };
    return new LmdbEngine({ directory, onClosed });
  }

  /** A store that was begun anew is used once it names what is lost. */
  #finished(engine: LmdbEngine | undefined): LmdbEngine | undefined {
    const anew = this.#anew;
    if (engine === undefined || anew === undefined) return engine;
    anew.engine = engine;
    if (anew.outcome === 'none') this.#nameLost(engine, anew);
    if (anew.outcome instanceof Error) throw anew.outcome;
    if (anew.outcome !== 'done') return undefined;
    this.#anew = undefined;
    this.#lineage.storeReplaced(anew.storeId);
    return engine;
  }

  #nameLost(engine: LmdbEngine, anew: AnewStore): void {
    const groups = this.#forgotten.among(this.#options.groups());
    const what =
      groups.length === 0 ? 'the log holds all of it' : `${groups.length} groups lack data`;
    this.#options.logger.warn({ groups: groups.length }, `the store is begun anew: ${what}`);
    anew.outcome = groups.length === 0 ? 'done' : 'pending';
    if (groups.length === 0) return;
    engine.commit(groups.map(lostGroup), (error) => {
      anew.outcome = error ?? 'done';
    });
  }

  /** The store was found to be damaged: a start that may begin it anew does. */
  noteDamage(what: string): void {
    try {
      noteDamage(join(this.directory.path, STORE_DIRECTORY), what);
    } catch (error) {
      // The next start finds the damage by itself.
      this.#options.logger.warn({ error: String(error) }, 'the damage could not be written down');
    }
  }

  #openFound(directory: string, onClosed: () => void): LmdbEngine {
    const found = findStore(directory);
    this.#lineage.checkStore(directory, found);
    const storeId = found?.storeId ?? randomBytes(16).toString('hex');
    if (found?.storeId === undefined) markStore(directory, storeId);
    const engine = new LmdbEngine({ directory, onClosed });
    try {
      this.#lineage.storeOpened(directory, storeId, engine.appliedTotal);
    } catch (error) {
      // It is open: the next start may begin it anew.
      this.noteDamage(String(error));
      throw error;
    }
    return engine;
  }

  /** Called after each sync of the log. */
  markAtIntervals(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#nextMarkMs) return;
    this.#nextMarkMs = nowMs + MARK_EVERY_MS;
    this.#mark();
  }

  #mark(): void {
    this.#lineage.update({
      durableLsn: this.#log?.durableLsn ?? 0,
      storeSequence: this.#options.flushedSequence(),
      storeBytes: findStore(join(this.directory.path, STORE_DIRECTORY))?.bytes ?? 0,
    });
  }

  /**
   * `closed` is called when no file is open and none will be made. Refused data are not marked: the
   * mark that refused them must refuse the next start too.
   */
  close(isRefused: boolean, closed: () => void): void {
    if (!isRefused) this.#mark();
    this.#lineageFile.close();
    const release = (): void => {
      // Another node may use the directory from now on.
      this.directory.close();
      closed();
    };
    if (this.#store === undefined) release();
    else this.#store.close(release);
  }
}
