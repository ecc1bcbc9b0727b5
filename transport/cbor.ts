/**
 * CBOR for frames between nodes and for the console: plain maps, and no tags. The only importer of
 * cbor-x.
 */
import { addExtension, Decoder, Encoder } from 'cbor-x';

/*
 * Plain maps rather than cbor-x records: measured for a PreAcceptOk, 1.0 us to encode and to decode
 * against 0.8 and 0.3 for records, but records inside a frame compile a reader per frame and shared
 * ones need a table that both ends agree on. One frame carries a few messages per turn, and a
 * stateless decoder cannot be poisoned by an earlier frame.
 */
const encoder = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });
const decoderOptions = { useRecords: false, mapsAsObjects: true, int64AsNumber: true };
const decoder = new Decoder(decoderOptions);

// We never write these tags (dates, bignums, errors and regular expressions, packed tables, value
// sharing, sets, maps, legacy records); reading some of them can take exponential time.
for (const tag of [0, 1, 2, 3, 4, 5, 6, 14, 15, 27, 28, 29, 51, 105, 258, 259]) {
  refuseTag(tag);
}

export function encodeCbor(value: unknown): Buffer {
  return encoder.encode(value);
}

/**
 * Byte strings in the result are views of `bytes`.
 *
 * @throws Error of any kind where it is no CBOR as this file writes it.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  return decoder.decode(bytes);
}

function refuseTag(tag: number): void {
  const decode = (): never => {
    throw new Error(`CBOR tag ${tag} is not part of the protocol`);
  };
  // Without a class it only decodes; the types of cbor-x know no such extension.
  addExtension({ tag, decode } as unknown as Parameters<typeof addExtension>[0]);
}
