/** The system is asked rarely about disk and files, however many look. */
import { expect, test } from 'vitest';
import { HostLook } from '../../../../actors/process/console/host-look.ts';

test('many looks within five seconds are one', async () => {
  let reads = 0;
  const look = new HostLook('/', (_dataDir, before) => {
    reads += 1;
    return Promise.resolve({ ...before, openFiles: reads });
  });
  await Promise.all([look.facts(0), look.facts(1_000)]);
  expect(await look.facts(4_999)).toMatchObject({ openFiles: 1 });
  expect(await look.facts(5_000)).toMatchObject({ openFiles: 2 });
});

test('the files and the disk of this process are found, and a disk that is gone stays as it was', async () => {
  const there = await new HostLook('/').facts(0);
  expect(there.openFiles).toBeGreaterThan(3);
  expect(there.bytes).toBeGreaterThan(there.freeBytes);
  expect(await new HostLook('/no/such/disk').facts(0)).toMatchObject({ bytes: 0, freeBytes: 0 });
});
