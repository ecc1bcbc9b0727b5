/** The TypeScript layout against the C one, as a C compiler sees it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_VERSION,
  ROUND_BYTES,
  ROUND_OFFSET,
  SENDERS_MAX,
} from '../../../bpf/frame/frame.ts';
import {
  EVENT_LAYOUT,
  encodeGroup,
  encodeSettings,
  GROUP_BYTES,
  GROUP_MEMBERS_MAX,
  GROUPS_MAX,
  ipv4Bytes,
  macBytes,
  SETTINGS_BYTES,
  SLOT_LAYOUT,
  SLOTS_MAX,
} from '../../../bpf/frame/layout.ts';

const program = `
#include <stddef.h>
#include <stdio.h>
#include "${join(import.meta.dirname, '../../../bpf/kernel/holofast.h')}"
#define AT(type, field) printf("\\"" #type "." #field "\\": %zu,", offsetof(struct type, field));
#define SIZE(type) printf("\\"" #type "\\": %zu,", sizeof(struct type));
#define VALUE(name) printf("\\"" #name "\\": %u,", (unsigned)name);
int main(void) {
  printf("{");
  SIZE(hf_frame) AT(hf_frame, round) AT(hf_frame, tag) AT(hf_frame, generation)
  SIZE(hf_slot) AT(hf_slot, word) AT(hf_slot, fanned) AT(hf_slot, round) AT(hf_slot, group)
  AT(hf_slot, electorate) AT(hf_slot, need) AT(hf_slot, reply_kind) AT(hf_slot, fanned_ns)
  AT(hf_slot, quorum_ns)
  SIZE(hf_event) AT(hf_event, generation) AT(hf_event, fanned_ns) AT(hf_event, quorum_ns)
  AT(hf_event, slot) AT(hf_event, votes)
  SIZE(hf_group) SIZE(hf_member) AT(hf_group, members) SIZE(hf_settings)
  VALUE(HF_MAGIC) VALUE(HF_VERSION) VALUE(HF_FLAG_FAN_OUT) VALUE(HF_FLAG_PLAIN) VALUE(HF_SLOTS_MAX)
  VALUE(HF_GROUPS_MAX) VALUE(HF_MEMBERS_MAX) VALUE(HF_SENDERS_MAX) VALUE(HF_ROUND_WORDS)
  printf("\\"end\\": 0}");
  return 0;
}
`;
const hasGcc = spawnSync('gcc', ['--version']).status === 0;
if (!hasGcc) console.log('skipped, the layouts cannot be compared: gcc is missing');

test.skipIf(!hasGcc)('offsets, sizes and limits are those of holofast.h', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holofast-layout-'));
  try {
    writeFileSync(join(directory, 'layout.c'), program);
    const binary = join(directory, 'layout');
    const compiled = spawnSync('gcc', [join(directory, 'layout.c'), '-o', binary], {
      encoding: 'utf8',
    });
    expect(compiled.stderr).toBe('');
    const printed = spawnSync(binary, { encoding: 'utf8' }).stdout;
    const { end: _end, ...c }: Record<string, number> = JSON.parse(printed);
    const fields = (name: string, layout: Record<string, number>): [string, number][] =>
      Object.entries(layout).map(([field, at]) => [
        field === 'bytes'
          ? name
          : `${name}.${field.replace(/[A-Z]/g, (x) => `_${x.toLowerCase()}`)}`,
        at,
      ]);
    expect(c).toEqual({
      hf_frame: FRAME_HEADER_BYTES,
      'hf_frame.round': ROUND_OFFSET,
      'hf_frame.tag': 72,
      'hf_frame.generation': 16,
      ...Object.fromEntries(fields('hf_slot', SLOT_LAYOUT)),
      ...Object.fromEntries(fields('hf_event', EVENT_LAYOUT)),
      hf_group: GROUP_BYTES,
      hf_member: 16,
      'hf_group.members': 16,
      hf_settings: SETTINGS_BYTES,
      HF_MAGIC: FRAME_MAGIC,
      HF_VERSION: FRAME_VERSION,
      HF_FLAG_FAN_OUT: FRAME_FLAG.fanOut,
      HF_FLAG_PLAIN: FRAME_FLAG.plain,
      HF_SLOTS_MAX: SLOTS_MAX,
      HF_GROUPS_MAX: GROUPS_MAX,
      HF_MEMBERS_MAX: GROUP_MEMBERS_MAX,
      HF_SENDERS_MAX: SENDERS_MAX,
      HF_ROUND_WORDS: ROUND_BYTES / 8,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('addresses, and what is not one', () => {
  expect([...ipv4Bytes('239.77.1.255')]).toEqual([239, 77, 1, 255]);
  expect([...macBytes('02:00:0a:4d:00:Ff')]).toEqual([2, 0, 10, 77, 0, 255]);
  for (const bad of ['1.2.3', '1.2.3.256', '::1', 'localhost', '1.2.3.4.5', '']) {
    expect(() => ipv4Bytes(bad), bad).toThrow(RangeError);
  }
  expect(() => macBytes('02:00:0a:4d:00')).toThrow(RangeError);
});

test('a group has at most eight members with bits of 0 to 15; a key has 16 bytes', () => {
  const member = { sender: 1, address: '10.0.0.1', port: 1 };
  const nine = new Array(GROUP_MEMBERS_MAX + 1).fill(member);
  expect(() => encodeGroup(nine, undefined, undefined)).toThrow(RangeError);
  const bad = { ...member, sender: SENDERS_MAX };
  expect(() => encodeGroup([bad], undefined, undefined)).toThrow(RangeError);
  expect(() => encodeSettings([new Uint8Array(8)], '10.0.0.1', 1)).toThrow(RangeError);
});
