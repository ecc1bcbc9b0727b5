/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) over the nine tagged words of a frame header. Shared
 * by the kernel program and the native echo peer of the tests; siphash.ts is its twin.
 */
#ifndef HOLOFAST_SIPHASH_H
#define HOLOFAST_SIPHASH_H

#include "holofast.h"

#define HF_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define HF_SIP_ROUND                                                                               \
	do {                                                                                       \
		v0 += v1, v1 = HF_ROTL(v1, 13), v1 ^= v0, v0 = HF_ROTL(v0, 32);                    \
		v2 += v3, v3 = HF_ROTL(v3, 16), v3 ^= v2;                                          \
		v0 += v3, v3 = HF_ROTL(v3, 21), v3 ^= v0;                                          \
		v2 += v1, v1 = HF_ROTL(v1, 17), v1 ^= v2, v2 = HF_ROTL(v2, 32);                    \
	} while (0)

/* The frame is written by its fields and read by words: the compiler has to know. */
typedef __u64 __attribute__((may_alias)) hf_word;

/* The words are read as they lie in memory: little-endian machines only, as the loader checks. */
static inline __attribute__((always_inline)) __u64 hf_header_tag(const hf_word *words,
								  const __u64 *key)
{
	__u64 v0 = key[0] ^ 0x736f6d6570736575ULL, v1 = key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = key[0] ^ 0x6c7967656e657261ULL, v3 = key[1] ^ 0x7465646279746573ULL;
#pragma GCC unroll 9
	for (int i = 0; i < HF_TAGGED_WORDS; i++) {
		v3 ^= words[i];
		HF_SIP_ROUND;
		HF_SIP_ROUND;
		v0 ^= words[i];
	}
	const __u64 last = (__u64)(HF_TAGGED_WORDS * 8) << 56;
	v3 ^= last;
	HF_SIP_ROUND;
	HF_SIP_ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	HF_SIP_ROUND;
	HF_SIP_ROUND;
	HF_SIP_ROUND;
	HF_SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

#endif
