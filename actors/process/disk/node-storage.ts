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
import type { TableHashKey } from '../../../storage/keyspace/table-hash.ts';
import { NodeDisk } from '../../../wal/node-disk.ts';
import type { WriteAheadLog } from '../../../wal/write-ahead-log.ts';
import { Lineage } from '../../log/lineage.ts';
import type { WalOptions } from '../../log/wal-actor.ts';
import type { Clock } from '../../runtime/ports/ports.ts';
import { CheckedStore } from './checked-store.ts';
import { DataDirectory, type DataDirectoryOptions } from './data-directory.ts';
import { findStore, LineageFile, markStore } from './lineage-file.ts';

const LOG_DIRECTORY = 'wal';
const STORE_DIRECTORY = 'store';
/** How often the positions of log and store are marked. */
const MARK_EVERY_MS = 5_000;

interface NodeStorageOptions {
  readonly directory: Omit<DataDirectoryOptions, 'lineage'>;
  readonly engine: 'lmdb' | 'memory';
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

export class NodeStorage {
  readonly directory: DataDirectory;
  readonly openEngine: () => Engine | undefined;
  readonly #options: NodeStorageOptions;
  readonly #lineageFile: LineageFile;
  readonly #lineage: Lineage;
  readonly #disk: NodeDisk;
  #log: WriteAheadLog | undefined;
  #checkProgress: () => string | undefined = () => undefined;
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
    return this.#checkProgress();
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
    this.#log = this.#lineage.openLog(this.#disk, directory, options, flushedSequence, onRecord);
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
    this.#checkProgress = () => store.progress;
    return () => store.open();
  }

  #openStore(directory: string, onClosed: () => void): LmdbEngine {
    const found = findStore(directory);
    this.#lineage.checkStore(directory, found);
    const storeId = found?.storeId ?? randomBytes(16).toString('hex');
    if (found?.storeId === undefined) markStore(directory, storeId);
    const engine = new LmdbEngine({ directory, onClosed });
    this.#lineage.storeOpened(directory, storeId, engine.appliedTotal);
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

  /** Refused data are not marked: the mark that refused them must refuse the next start too. */
  close(isRefused: boolean): void {
    if (!isRefused) this.#mark();
    this.#lineageFile.close();
    this.directory.close();
  }
}
