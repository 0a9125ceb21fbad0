/*
 * Generated content: bytes that follow from their offset and a seed, so that
 * any part of a body of any length can be made, and checked, without keeping
 * it. Shared by the origin and the tools of the tests.
 */
#ifndef ORIGIN_PATTERN_H
#define ORIGIN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes at a time: the finaliser of SplitMix64 (Steele and others 2014)
 * over the number of the word. */
static inline uint64_t
pattern_word(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned char
pattern_byte(uint64_t seed, uint64_t offset)
{
    return (unsigned char)(pattern_word(seed, offset / 8) >>
                           (8 * (offset % 8)));
}

/* Writes the `len` bytes that begin at `offset`. */
static inline void
pattern_fill(uint64_t seed, uint64_t offset, void *out, size_t len)
{
    unsigned char *to = out;

    while (len > 0 && offset % 8 != 0) {
        *to++ = pattern_byte(seed, offset++);
        len--;
    }
    for (; len >= 8; to += 8, offset += 8, len -= 8) {
        uint64_t word = pattern_word(seed, offset / 8);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        memcpy(to, &word, 8);
    }
    while (len > 0) {
        *to++ = pattern_byte(seed, offset++);
        len--;
    }
}

/* Whether these bytes are the ones at `offset`; if not, *wrong is the offset
 * of the first that differs. */
static inline bool
pattern_check(uint64_t seed, uint64_t offset, const void *data, size_t len,
              uint64_t *wrong)
{
    const unsigned char *from = data;
    unsigned char want[4096];

    while (len > 0) {
        size_t part = len < sizeof(want) ? len : sizeof(want);

        pattern_fill(seed, offset, want, part);
        if (memcmp(from, want, part) != 0) {
            size_t i = 0;

            while (from[i] == want[i])
                i++;
            *wrong = offset + i;
            return false;
        }
        from += part;
        offset += part;
        len -= part;
    }
    return true;
}

#endif
