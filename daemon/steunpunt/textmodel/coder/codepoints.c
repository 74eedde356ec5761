/* Text of any script without a model: codepoints.py says how and why. */

#include <stdlib.h>

#include "textcoder.h"

enum { POINT_BITS = 21, FINE_BITS = 7, PRIOR = 1, FINE_PRIOR = 4, NEAR_PRIOR = 8 };
enum { FIRST_PLACES = 1 << 10 };

struct counted { /* how often either bit came at a place; key 0: nothing here yet */
    uint64_t key;
    uint32_t counts[2];
};

struct chances {
    struct coder *coder;
    struct counted *table; /* open addressing, at most half full */
    size_t size, used;     /* size is a power of two */
    uint32_t before;       /* the character before, plus 1; 0 at first */
    uint32_t length;
};

static struct counted *find(struct counted *table, size_t size, uint64_t key)
{
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & (size - 1);
    while (table[at].key != 0 && table[at].key != key)
        at = (at + 1) & (size - 1);
    return &table[at];
}

/* Make room for two more; 0 when memory is short. */
static int make_room(struct chances *chances)
{
    if (chances->table && 2 * (chances->used + 2) <= chances->size)
        return 1;
    size_t size = chances->table ? 2 * chances->size : FIRST_PLACES;
    struct counted *table = calloc(size, sizeof *table);
    if (!table)
        return 0;
    for (size_t n = 0; chances->table && n < chances->size; n++)
        if (chances->table[n].key)
            *find(table, size, chances->table[n].key) = chances->table[n];
    free(chances->table);
    chances->table = table;
    chances->size = size;
    return 1;
}

static struct counted *counted_at(struct chances *chances, uint32_t before, uint32_t place)
{
    uint64_t key = (uint64_t)before << POINT_BITS | place;
    struct counted *found = find(chances->table, chances->size, key);
    chances->used += found->key == 0;
    found->key = key;
    return found;
}

static unsigned code_place(struct chances *chances, uint32_t place, int level, unsigned wanted)
{
    if (!make_room(chances)) {
        code_failed(chances->coder, NO_MEMORY);
        return 0;
    }
    struct counted *text = counted_at(chances, 0, place);
    struct counted *near = chances->before ? counted_at(chances, chances->before, place) : text;
    uint32_t prior = level < FINE_BITS ? FINE_PRIOR : PRIOR;
    uint64_t chance = (uint64_t)(2 * text->counts[1] + prior) * ONE / (2 * (text->counts[0] + text->counts[1] + prior));
    if (near != text)
        chance = (2 * (uint64_t)near->counts[1] * ONE + NEAR_PRIOR * chance)
                 / (2 * (near->counts[0] + near->counts[1]) + NEAR_PRIOR);
    chance = chance < 1 ? 1 : chance > ONE - 1 ? ONE - 1 : chance;
    unsigned bit = code_bit(chances->coder, (uint32_t)chance, wanted);
    text->counts[bit]++;
    if (near != text)
        near->counts[bit]++;
    return bit;
}

static unsigned code_end(struct chances *chances, unsigned wanted)
{
    uint32_t chance = ONE / (++chances->length + 1);
    return code_bit(chances->coder, chance ? chance : 1, wanted);
}

static uint32_t code_character(struct chances *chances, uint32_t wanted)
{
    uint32_t place = 1;
    for (int level = POINT_BITS - 1; level >= 0; level--)
        place = place << 1 | code_place(chances, place, level, wanted >> level & 1);
    uint32_t found = place - (1u << POINT_BITS);
    chances->before = found + 1;
    return found;
}

/* Return how many bytes the text takes, written as far as they fit, or an error. */
long textcoder_encode_points(const uint32_t *text, size_t count, uint8_t *out, size_t size)
{
    struct coder coder = encoder(out, size);
    struct chances chances = {.coder = &coder};
    for (size_t n = 0; n < count && !coder.error; n++) {
        code_end(&chances, 0);
        code_character(&chances, text[n]);
    }
    code_end(&chances, 1);
    free(chances.table);
    return finish(&coder);
}

/* Write the characters, at most chars_max, into out; return how many they are, or an error.
 *
 * After NO_CHARACTER the first of out is the number that is none. */
long textcoder_decode_points(const uint8_t *data, size_t size, uint32_t *out, size_t chars_max)
{
    struct coder coder = decoder(data, size);
    struct chances chances = {.coder = &coder};
    size_t count = 0;
    while (!code_end(&chances, 0) && !coder.error) {
        if (count >= chars_max) {
            code_failed(&coder, TOO_LONG);
            break;
        }
        out[count] = code_character(&chances, 0);
        if (!is_character(out[count]) && !coder.error) {
            out[0] = out[count];
            code_failed(&coder, NO_CHARACTER);
        }
        count++;
    }
    free(chances.table);
    return coder.error ? coder.error : (long)count;
}
