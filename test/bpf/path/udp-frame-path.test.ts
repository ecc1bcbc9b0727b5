/**
 * The choice of a tier: what `auto` leaves alone, what is refused by name, and the key. Sockets are
 * real, on ports of the kernel's choice where one will do.
 */
import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, test } from 'vitest';
import type { FramePath } from '../../../bpf/path/frame-path.ts';
import { reasonAgainst } from '../../../bpf/path/holofast-mode.ts';
import { type UdpFramePathOptions, UdpFramePathSource } from '../../../bpf/path/udp-frame-path.ts';

const open: FramePath[] = [];

afterEach(() => {
  for (const path of open.splice(0)) path.close();
});

interface Opened {
  readonly path: FramePath | undefined;
  readonly source: UdpFramePathSource;
  readonly failed: readonly string[];
  readonly tiers: readonly string[];
}

function openPath(options: Partial<UdpFramePathOptions>): Promise<Opened> {
  const failed: string[] = [];
  const tiers: string[] = [];
  const source = new UdpFramePathSource({
    mode: 'userspace',
    self: { host: '127.0.0.1', port: 0 },
    peers: [{ sender: 1, host: '127.0.0.1', port: 9 }],
    members: [1, 2],
    keys: [new Uint8Array(16)],
    wallUs: () => 1e15,
    onFailed: (reason) => failed.push(reason),
    onTier: (tier) => tiers.push(tier),
    ...options,
  });
  return new Promise((resolve) => {
    source.open(
      () => undefined,
      (path) => {
        if (path !== undefined) open.push(path);
        resolve({ path, source, failed, tiers });
      },
    );
  });
}

describe('auto', () => {
  const far = ['10.0.0.1', '10.0.0.2'];

  test.each([
    ['auto', ['127.0.0.1', '127.0.0.1'], /on this machine/],
    ['auto', ['localhost', '127.0.0.2'], /on this machine/],
    ['auto', ['127.0.0.1', '10.0.0.2'], undefined],
    ['auto', far, undefined],
    ['kernel', ['127.0.0.1', '127.0.0.1'], undefined],
    ['off', far, /switched off/],
    ['kernel', ['10.0.0.1'], /no peers/],
  ] as const)('%s for %j', (mode, hosts, reason) => {
    const said = reasonAgainst(mode, hosts);
    if (reason === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(reason);
  });
});

describe('a path', () => {
  test('in user space needs nothing, and says that it was asked for', async () => {
    const { path, source, failed, tiers } = await openPath({});
    expect(path).toBeDefined();
    expect([source.tier, failed, tiers]).toEqual(['userspace', [], ['userspace']]);
    expect(source.reason).toContain('asked for');
    expect(source.counters()).toMatchObject({ frames_received: 0, send_errors: 0 });
    path?.close();
    expect(source.tier).toBe('off');
  });

  test('finds the address behind a name, and refuses one that has none', async () => {
    const peers = [{ sender: 1, host: 'localhost', port: 9 }];
    expect((await openPath({ peers })).path).toBeDefined();
    const { path, failed } = await openPath({ peers: [{ sender: 1, host: '::1', port: 9 }] });
    expect(path).toBeUndefined();
    expect(failed).toEqual([
      '--holofast userspace cannot be: ::1 has no IPv4 address, and frames need one',
    ]);
  });

  test('whose port is taken fails by name, but not under auto', async () => {
    const holder = createSocket('udp4');
    await new Promise<void>((resolve) => holder.bind(0, '127.0.0.1', resolve));
    const self = { host: '127.0.0.1', port: holder.address().port };
    try {
      const refused = await openPath({ self });
      expect(refused.failed[0]).toContain('EADDRINUSE');
      const { failed, source } = await openPath({ self, mode: 'auto' });
      expect([failed, source.tier]).toEqual([[], 'off']);
      expect(source.reason).toMatch(/^no kernel part \(.+\), and without it TCP is cheaper$/);
    } finally {
      holder.close();
    }
  });
});
