import { expect, test } from 'vitest';
import { SHORT_TEXT_BYTES_MAX, shortText } from '../../../storage/types/short-text.ts';

test('every byte of every length is read, and none beside them', () => {
  const bytes = Buffer.from(Array.from({ length: 256 + SHORT_TEXT_BYTES_MAX }, (_, at) => at));
  for (let length = 0; length <= SHORT_TEXT_BYTES_MAX; length += 1) {
    for (let start = 0; start < 256; start += 1) {
      const text = shortText(bytes, start, length);
      expect(text).toBe(bytes.toString('latin1', start, start + length));
    }
  }
});
