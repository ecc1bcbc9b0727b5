/** Reading the kernel's neighbour table. */
import { expect, test } from 'vitest';
import { parseNeighbours } from '../../../bpf/native/neighbours.ts';

const table = `IP address       HW type     Flags       HW address            Mask     Device
10.77.0.2        0x1         0x2         02:00:0a:4d:00:02     *        eth0
10.77.0.3        0x1         0x0         00:00:00:00:00:00     *        eth0
10.77.0.4        0x1         0x6         02:00:0a:4d:00:04     *        eth0
10.77.0.5        0x1         0x2         02:00:0a:4d:00:05     *        eth1
10.77.0.6        0x1         0x2         00:00:00:00:00:00     *        eth0
`;

test('complete entries of the interface alone', () => {
  expect([...parseNeighbours(table, 'eth0')]).toEqual([
    ['10.77.0.2', '02:00:0a:4d:00:02'],
    ['10.77.0.4', '02:00:0a:4d:00:04'],
  ]);
});

test('an empty or strange table has no neighbours', () => {
  expect(parseNeighbours('', 'eth0').size).toBe(0);
  expect(parseNeighbours('header\nnonsense\n\n', 'eth0').size).toBe(0);
});
