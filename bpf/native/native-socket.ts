/**
 * The node's UDP socket, made natively for tiers 1 and 2: with options that dgram does not offer.
 */
import { type NativeAddon, type NativeSocket, oneLine } from './native.ts';

const ERRNO_ADDRESS_IN_USE = 98;

/** Throws Error that names the address, and says so when the port is taken. */
export function openSocket(
  addon: NativeAddon,
  { address, port }: { readonly address: string; readonly port: number },
  receiveBufferBytes = 0,
  sendBufferBytes = 0,
): NativeSocket {
  try {
    return addon.udpSocket(address, port, receiveBufferBytes, sendBufferBytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const taken = code === String(ERRNO_ADDRESS_IN_USE);
    const what = taken ? 'the port is in use by another process' : oneLine(error);
    throw new Error(`UDP ${address}:${port}: ${what}`);
  }
}
