/** Which room may import which, and which file may import which package. */
import { describe, expect, test } from 'vitest';
import { PURE_MODULES, ROOMS, SHARED_WORDS, sources, violations } from './sources.ts';

/** One file may import each of these; no other needs to know that they exist. */
const OWNED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  nact: ['actors/runtime/nact-shim.ts'],
  'cbor-x': ['transport/cbor.ts'],
  ws: ['transport/console/console-server.ts'],
  lmdb: ['storage/engine/lmdb-environment.ts'],
  'prom-client': ['transport/http/metrics.ts', 'transport/http/counted-histogram.ts'],
};

describe('permitted imports', () => {
  test('a package with one owner is imported by it alone', () => {
    const foreign = violations(sources, (file, target) => {
      const owners = OWNED_PACKAGES[target];
      return owners !== undefined && !owners.includes(file.path);
    });
    expect(foreign).toEqual([]);
  });

  test('transport, wal, storage and bpf know no actors', () => {
    const rooms = sources.filter((file) => !file.path.startsWith('actors/'));
    const upwards = violations(
      rooms,
      (_file, target) => target.startsWith('actors/') && !SHARED_WORDS.includes(target),
    );
    expect(upwards).toEqual([]);
    const shared = sources.filter((file) => SHARED_WORDS.includes(file.path));
    expect(shared.map((file) => file.imports)).toEqual(SHARED_WORDS.map(() => []));
  });

  test('the protocol knows itself alone, and types', () => {
    const pure = sources.filter((file) => /^actors\/(accord|meta)\//.test(file.path));
    const outwards = violations(
      pure,
      (_file, target) =>
        !/^actors\/(accord|meta)\//.test(target) &&
        !/^(storage|transport\/resp)\//.test(target) &&
        !PURE_MODULES.includes(target),
    );
    expect(outwards).toEqual([]);
  });

  test('the storage engine and the log know nothing of each other or of sockets', () => {
    const low = sources.filter((file) => /^(storage|wal)\//.test(file.path));
    const sideways = violations(low, (file, target) => {
      const room = file.path.slice(0, file.path.indexOf('/') + 1);
      const other = ROOMS.some((each) => target.startsWith(`${each}/`)) && !target.startsWith(room);
      return other && target !== 'transport/resp/connection/command-unit.ts';
    });
    expect(
      sideways.filter((line) => /-> (wal|bpf|transport\/peer|transport\/http)/.test(line)),
    ).toEqual([]);
  });

  test('nothing imports tests', () => {
    expect(violations(sources, (_file, target) => target.startsWith('test/'))).toEqual([]);
  });
});
