import { expect, test } from 'vitest';
import {
  CLIENTS_MAX,
  clientsWithin,
  openFilesMax,
} from '../../../../actors/process/settings/open-files.ts';
import { ConfigError } from '../../../../actors/process/settings/settings.ts';

test('clients get what the limit leaves', () => {
  expect(clientsWithin(undefined, 3, 64)).toBe(CLIENTS_MAX);
  expect(clientsWithin(2 * CLIENTS_MAX, 3, 64)).toBe(CLIENTS_MAX);
  expect(clientsWithin(1024, 3, 64)).toBe(724);
  expect(clientsWithin(1024, 9, 64)).toBe(700);
  expect(() => clientsWithin(300, 3, 64)).toThrow(ConfigError);
});

test.runIf(process.platform === 'linux')('the limit of this process is known', () => {
  expect(openFilesMax() ?? CLIENTS_MAX).toBeGreaterThan(64);
});
