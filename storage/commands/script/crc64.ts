/** CRC-64 with the polynomial of Jones, as Redis ends its payloads (crc64.c). Pure. */

const POLYNOMIAL = 0x95ac_9329_ac4b_c9b5n;
const TABLE = BigUint64Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ (crc & 1n ? POLYNOMIAL : 0n);
  return crc;
});

export function crc64(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc = (TABLE[Number(crc & 0xffn) ^ byte] as bigint) ^ (crc >> 8n);
  }
  return crc;
}
