/** Sets: members. */
import { collectionType } from './collection-type.ts';
import { Fields } from './fields.ts';

export const SET = collectionType<Fields>({
  code: 3,
  name: 'set',
  encodings: ['intset', 'listpack', 'hashtable'],
  empty: (label, head) => new Fields(false, label, head),
});
