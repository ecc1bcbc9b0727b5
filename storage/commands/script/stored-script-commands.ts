/**
 * SCRIPT LOAD, EXISTS and FLUSH: scripts are rows beside the keys, so that a command that is
 * ordered behind SCRIPT LOAD finds the script wherever it was sent to.
 */
import { SCRIPTS_BYTES_SETTING } from '../../script-limits.ts';
import { type Command, command } from '../command.ts';
import { changeTable } from '../table-rows.ts';
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

const NO_ROOM =
  'OOM command not allowed: the loaded scripts would be larger than ' +
  `${SCRIPTS_BYTES_SETTING}, see SCRIPT FLUSH`;
const FLUSH_MODES = 'ERR SCRIPT FLUSH only support SYNC|ASYNC option';

const OF_SCRIPTS = {
  group: 'scripting',
  keys: 'whole-store',
  categories: ['@slow', '@scripting'],
} as const;

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
    if (storedScript(keyspace.settings, hash) === undefined) {
      const bytes = storedBytesOf(keyspace.settings) + body.length;
      if (bytes > keyspace.scriptLimits.scriptsBytesMax) return out.error(NO_ROOM);
      changeTable(keyspace, [[scriptRow(hash), body]]);
    }
    out.bulk(hash);
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
  run(keyspace, args, out) {
    out.array(args.count - 2);
    for (let i = 2; i < args.count; i += 1) {
      out.integer(Number(storedScript(keyspace.settings, args.text(i)) !== undefined));
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
    const { settings } = keyspace;
    const flushes = Number(settings.values.get(FLUSHES_ROW) ?? 0);
    const removed = scriptRows(settings).map((row) => [row, undefined] as const);
    changeTable(keyspace, [...removed, [FLUSHES_ROW, String(flushes + 1)]]);
    out.simple('OK');
  },
});

export const STORED_SCRIPT_COMMANDS: readonly Command[] = [load, exists, flush];
