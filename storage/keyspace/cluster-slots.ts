/**
 * Slots of Redis Cluster, for clients that ask for them; data are not distributed by them. The
 * conflict slots of transactions are in `slots.ts`.
 */
export const CLUSTER_SLOTS = 16_384;

/** From the CRC16 (XMODEM) of the key, or of the text in its first braces. */
export function clusterKeySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) % CLUSTER_SLOTS;
}

function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc;
}
