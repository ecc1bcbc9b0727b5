/**
 * SCRIPT LOAD, EXISTS and FLUSH: loaded scripts are rows of the cluster's table, so that every node
 * finds them. A script travels with its body: no replica needs the table to run it.
 */
import { bodySettingsOf } from '../../cluster-settings.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { SCRIPTS_BYTES_SETTING } from '../../script-limits.ts';
import { type Command, command } from '../command.ts';
import { changeCounted } from '../table-rows.ts';
import { scriptEngine } from './script-engine.ts';
import { sha1Of } from './sha1.ts';
import { parseShebang } from './shebang.ts';
import {
  FLUSHES_ROW,
  scriptRow,
  scriptRows,
  storedBytesOf,
  storedScript,
} from './stored-scripts.ts';

export const NO_ROOM =
  'OOM command not allowed: the loaded scripts and functions would be larger than ' +
  `${SCRIPTS_BYTES_SETTING}, see SCRIPT FLUSH and FUNCTION DELETE`;
const FLUSH_MODES = 'ERR SCRIPT FLUSH only support SYNC|ASYNC option';

export const OF_SCRIPTS = {
  group: 'scripting',
  keys: 'whole-store',
  ofTable: true,
  categories: ['@slow', '@scripting'],
} as const;

/** Whether the table has room for so many bytes of code more. */
export function hasRoomFor({ settings }: Keyspace, bytes: number): boolean {
  const { scriptsBytesMax } = bodySettingsOf(settings);
  return storedBytesOf(settings.values) + bytes <= scriptsBytesMax;
}

const load = command({
  ...OF_SCRIPTS,
  flags: 'noscript stale',
  mayWrite: true,
  name: 'SCRIPT|LOAD',
  arity: 3,
  summary: 'Load a script, to be run by its hash',
  since: '2.6.0',
  complexity: 'O(N) with N being the length in bytes of the script body.',
  run(keyspace, args, out) {
    const body = args.text(2);
    const script = parseShebang(body);
    if (typeof script === 'string') return out.error(script);
    const problem = scriptEngine().problemOf(script.source);
    if (problem !== undefined) return out.error(problem);
    const hash = sha1Of(body);
    const isKnown = storedScript(keyspace.settings.values, hash) !== undefined;
    if (!isKnown && !hasRoomFor(keyspace, body.length)) return out.error(NO_ROOM);
    const changes = isKnown ? [] : [[scriptRow(hash), body] as const];
    changeCounted(keyspace, changes, out, (reply) => reply.bulk(hash));
  },
});

const exists = command({
  ...OF_SCRIPTS,
  flags: 'noscript',
  name: 'SCRIPT|EXISTS',
  arity: -3,
  summary: 'Tell which scripts are loaded',
  since: '2.6.0',
  complexity: 'O(N) with N being the number of scripts to check.',
  run({ settings }, args, out) {
    out.array(args.count - 2);
    for (let i = 2; i < args.count; i += 1) {
      out.integer(Number(storedScript(settings.values, args.text(i)) !== undefined));
    }
  },
});

const flush = command({
  ...OF_SCRIPTS,
  flags: 'noscript',
  mayWrite: true,
  name: 'SCRIPT|FLUSH',
  arity: -2,
  summary: 'Remove all loaded scripts',
  since: '2.6.0',
  complexity: 'O(N) with N being the number of loaded scripts.',
  run(keyspace, args, out) {
    const isPlain = args.count === 2 || args.is(2, 'SYNC') || args.is(2, 'ASYNC');
    if (args.count > 3 || !isPlain) return out.error(FLUSH_MODES);
    const { values } = keyspace.settings;
    const flushes = Number(values.get(FLUSHES_ROW) ?? 0);
    const removed = scriptRows(values).map((row) => [row, undefined] as const);
    const changes = [...removed, [FLUSHES_ROW, String(flushes + 1)] as const];
    changeCounted(keyspace, changes, out, (reply) => reply.simple('OK'));
  },
});

export const STORED_SCRIPT_COMMANDS: readonly Command[] = [load, exists, flush];
