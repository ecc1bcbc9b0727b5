/** Only adapters reach the outside world. */
import { describe, expect, test } from 'vitest';
import { linesWith, PURE_MODULES, sources, violations } from './sources.ts';

/** Where the outside world begins: sockets, files, processes, clocks and dice. */
const ADAPTERS = [
  /^actors\/main\.ts$/,
  /^actors\/process\//,
  /^actors\/runtime\/(ports\/system-ports|nact-shim)\.ts$/,
  /^bpf\//,
  /^storage\/engine\//,
  /^storage\/keyspace\/digest\.ts$/,
  /^transport\/console\//,
  /^storage\/commands\/script\/(sha1|lua\/lua-module)\.ts$/,
  /^transport\/http\//,
  /^transport\/holoctl\//,
  /^transport\/peer\/(tcp-network|dialled-link|accepted-link)\.ts$/,
  /^transport\/access\/passwords\.ts$/,
  /^transport\/peer\/security\//,
  /^transport\/resp\/server\.ts$/,
  /^transport\/socket-factory\.ts$/,
  /^transport\/tls-server\.ts$/,
  /^wal\/node-disk\.ts$/,
];

const WORLD_WORDS = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\bperformance\.(now|timeOrigin)\b/,
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /\bprocess\.(env|argv|on|exit|nextTick|hrtime|stdout|stderr|stdin)\b/,
  /\brandom(Bytes|UUID|Int)\b/,
];

function isAdapter(path: string): boolean {
  return ADAPTERS.some((pattern) => pattern.test(path));
}

describe('the outside world', () => {
  const inner = sources.filter((file) => !isAdapter(file.path));

  test('modules that reach it are imported by adapters only', () => {
    const reaching = violations(
      inner,
      (file, target) =>
        target.startsWith('node:') &&
        !PURE_MODULES.includes(target) &&
        !new RegExp(`import type [^;]*from '${target}'`).test(file.text),
    );
    expect(reaching).toEqual([]);
  });

  test.each(WORLD_WORDS)('%s is said by adapters only', (word) => {
    expect(linesWith(inner, word, true)).toEqual([]);
  });
});
