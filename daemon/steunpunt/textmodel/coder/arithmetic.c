/* Arithmetic coding: arithmetic.py says how and why. */

#include "textcoder.h"

#define REGISTER_BYTES 6
#define REGISTER_BITS (8 * REGISTER_BYTES)
#define REGISTER_MASK (((uint64_t)1 << REGISTER_BITS) - 1)
#define TOP ((uint64_t)1 << (REGISTER_BITS - 8))

/* Note what went wrong, unless something did before. */
void code_failed(struct coder *coder, long error)
{
    if (!coder->error)
        coder->error = error;
}

int is_character(uint32_t point)
{
    return point <= POINT_MAX && (point < 0xD800 || point >= 0xE000);
}

static void put_byte(struct coder *coder, unsigned byte)
{
    if (coder->at < coder->size)
        coder->out[coder->at] = (uint8_t)byte;
    coder->at++;
}

/* Take the next byte; those after the end count as zero, but not more of them than an undamaged text uses up. */
static void take_byte(struct coder *coder)
{
    unsigned byte = coder->at < coder->size ? coder->data[coder->at] : 0;
    if (coder->at >= coder->size + REGISTER_BYTES)
        code_failed(coder, NO_END);
    coder->value = (coder->value << 8 & REGISTER_MASK) | byte;
    coder->at++;
}

struct coder encoder(uint8_t *out, size_t size)
{
    struct coder coder = {.high = REGISTER_MASK, .out = out, .size = size};
    return coder;
}

struct coder decoder(const uint8_t *data, size_t size)
{
    struct coder coder = {.high = REGISTER_MASK, .data = data, .size = size, .decoding = 1};
    for (int n = 0; n < REGISTER_BYTES; n++)
        take_byte(&coder);
    return coder;
}

/* Code one decision, of which 1 has `probability` in 1/65536; return it. */
unsigned code_bit(struct coder *coder, uint32_t probability, unsigned wanted)
{
    if (coder->error)
        return 0;
    uint64_t middle = coder->low + ((coder->high - coder->low) * probability >> 16);
    unsigned bit = coder->decoding ? coder->value <= middle : wanted;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    while ((coder->low ^ coder->high) < TOP) {
        if (coder->decoding)
            take_byte(coder);
        else
            put_byte(coder, (unsigned)(coder->high >> (REGISTER_BITS - 8)));
        coder->low = coder->low << 8 & REGISTER_MASK;
        coder->high = (coder->high << 8 & REGISTER_MASK) | 0xFF;
    }
    return bit;
}

/* Code bits of which nothing is known beforehand, the highest first. */
uint32_t code_flags(struct coder *coder, uint32_t wanted, int count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 1 | code_bit(coder, EVEN, wanted >> count & 1);
    return value;
}

/* End with the fewest bytes that still say which number is meant; return how many there are in all, or the error. */
long finish(struct coder *coder)
{
    int count = 0;
    uint64_t tail = coder->high;
    for (; count < REGISTER_BYTES; count++) {
        uint64_t unit = (uint64_t)1 << (REGISTER_BITS - 8 * count);
        uint64_t rounded = (coder->low + unit - 1) / unit;
        if (rounded * unit <= coder->high) {
            tail = rounded;
            break;
        }
    }
    while (count--)
        put_byte(coder, (unsigned)(tail >> 8 * count & 0xFF));
    return coder->error ? coder->error : (long)coder->at;
}

