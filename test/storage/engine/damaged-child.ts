/**
 * The process that `lmdb-check.test.ts` gives a damaged store: checks it, then reads all keys. It
 * may be killed by what it reads; otherwise its one line says how it ended.
 */
import { createHash } from 'node:crypto';
import { Lineage, LineageError, NEW_LINEAGE } from '../../../actors/log/lineage.ts';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { EngineError } from '../../../storage/errors.ts';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { placeOfText } from '../../../storage/place.ts';

const [directory = '', keys = '0', sequence = '0'] = process.argv.slice(2);

function readAll(): string {
  const engine = new LmdbEngine({ directory });
  // As a node does: where the table of LMDB's databases is gone, the store looks like a new one.
  const state = { ...NEW_LINEAGE, storeSequence: Number(sequence) };
  new Lineage(state, () => undefined).storeOpened(directory, '', engine.appliedTotal);
  for (const _ of engine.check());
  const hash = createHash('sha256');
  for (let at = 0; at < Number(keys); at += 1) {
    const key = `key${at}`;
    const entry = engine.get(0, key, slotOfText(key), placeOfText(key));
    hash.update(`${key} ${entry?.value}\n`);
  }
  return `read ${hash.digest('hex')}`;
}

let line: string;
try {
  line = readAll();
} catch (error) {
  if (!(error instanceof EngineError || error instanceof LineageError)) throw error;
  line = `${error.code} ${error.message}`;
}
process.stdout.write(`${line}\n`, () => process.exit());
