/** `docs/formats.md` against the sources: versions, layouts, sizes, codes of records and frames. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TIMESTAMP_BYTES } from '../../actors/accord/primitives/timestamp.ts';
import {
  FRAME_HEADER_BYTES,
  FrameKind,
  FRAME_VERSION as UDP_FRAME_VERSION,
} from '../../bpf/frame/frame.ts';
import { UNIT_HEAD } from '../../storage/transaction-body.ts';
import { FRAME_VERSION } from '../../transport/peer/codec.ts';
import { PROTOCOL_VERSION } from '../../transport/peer/handshake.ts';
import { RECORD_HEADER_BYTES } from '../../wal/record.ts';
import { SEGMENT_HEADER_BYTES, SEGMENT_VERSION } from '../../wal/segment.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/formats.md'), 'utf8');

/** The section with this title, up to the next one of any level. */
function section(title: string): string {
  const from = page.indexOf(`# ${title}\n`);
  expect(from, title).toBeGreaterThan(0);
  return page.slice(from).split(/\n#+ /)[0] ?? '';
}

function constant(path: string, name: string): number {
  const source = readFileSync(join(ROOT, path), 'utf8');
  return Number(new RegExp(`\\bconst ${name} = (\\d+);`).exec(source)?.[1]);
}

function rows(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[0]);
}

test('the versions are those that are written', () => {
  expect(section('Greeting')).toContain(`| 4 | protocol version, ${PROTOCOL_VERSION} |`);
  expect(section('Frame')).toContain(`| 0 | version, ${FRAME_VERSION} |`);
  expect(section('Wire: UDP frames')).toContain(`| 4 | version, ${UDP_FRAME_VERSION} |`);
  expect(section('Disk: the log')).toMatch(new RegExp(`\\| 8 \\| version, ${SEGMENT_VERSION}\\b`));
});

test('the layouts are those that are written', () => {
  const store = section('Disk: the store');
  const record = 'storage/engine/record.ts';
  const plain = constant(record, 'LAYOUT_PLAIN');
  const withKey = constant(record, 'LAYOUT_WITH_KEY');
  expect(store).toContain(`| 4 | layout: ${plain} plain, ${withKey} with its key |`);
  const rows = 'storage/engine/group-rows.ts';
  expect(store).toContain(`| 0 | layout, ${constant(rows, 'META_LAYOUT')} |`);
  expect(store).toContain(`| 0 | block layout, ${constant(rows, 'BLOCK_LAYOUT')} |`);
});

test('the sizes are those that are written', () => {
  expect(page).toContain(`| timestamp | ${TIMESTAMP_BYTES}, big endian`);
  expect(section('Transaction body')).toContain(`(${UNIT_HEAD})`);
  expect(section('Wire: UDP frames')).toContain(`Header of ${FRAME_HEADER_BYTES} bytes`);
  const log = section('Disk: the log');
  expect(log).toContain(`Records begin at byte ${SEGMENT_HEADER_BYTES} `);
  expect(log).toContain(`| ${RECORD_HEADER_BYTES} | payload`);
});

test('every type of record has a row, and every row a type', () => {
  const written = ['actors/accord/local/journal.ts', 'actors/log/clock-limits.ts'].flatMap(
    (path) => {
      const source = readFileSync(join(ROOT, path), 'utf8');
      const codes = /const CODES = \{([^}]*)\}/.exec(source)?.[1] ?? '';
      const all = [...codes.matchAll(/(\w+): (\d+)\b/g)];
      expect(all.length, path).toBeGreaterThan(0);
      return all.map((match) => `| ${match[2]} | ${match[1]} |`);
    },
  );
  expect(written.length).toBeGreaterThan(0);
  expect(rows(section('Disk: the log'), /^\| \d+ \| [A-Z]\w+ \|/gm)).toEqual(written);
});

test('every kind of frame has a row', () => {
  const table = section('Wire: UDP frames').split('| kind | | body |')[1] ?? '';
  const kinds = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((match) =>
    (match[1] ?? '').split(',').map(Number),
  );
  expect(kinds).toEqual(Object.values(FrameKind));
});
