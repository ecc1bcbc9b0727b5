/**
 * A process that writes a log as fast as it can and says on stdout what is durable, until it is
 * killed: the child of node-disk.test.ts. Argument: the log's directory.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { NodeDisk } from '../../wal/node-disk.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { payload } from './log-harness.ts';

const directory = process.argv[2] ?? '';
const log = WriteAheadLog.open(
  new NodeDisk(),
  directory,
  { newLogId: randomBytes(16), segmentBytes: 256 * 1024, batchBytesMax: 32 * 1024 },
  () => undefined,
);

function again(): void {
  for (let index = 0; index < 20; index += 1) {
    log.append(1, 1, [payload(log.appendedLsn + 1, 400)]);
  }
  log.commit((error, durableLsn) => {
    if (error !== undefined) throw error;
    writeSync(1, `${durableLsn}\n`);
    if (durableLsn % 500 === 0) log.truncateBefore(durableLsn - 1000);
    setImmediate(again);
  });
}

again();
