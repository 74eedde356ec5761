/* What was written before, as the slots look at it, and the crc of each: Past in spelling.py says why. */

#include <string.h>

#include "textcoder.h"

enum { FIRST_SHAPE_KEY = 20 };

static uint32_t crc_byte(const struct model *model, uint32_t crc, unsigned byte)
{
    crc = ~crc;
    return ~(model->crc[(crc ^ byte) & 0xFF] ^ crc >> 8);
}

static uint32_t crc_text(const struct model *model, uint32_t crc, const char *text)
{
    while (*text)
        crc = crc_byte(model, crc, (unsigned char)*text++);
    return crc;
}

/* Go on with a character in UTF-8. */
uint32_t crc_point(const struct model *model, uint32_t crc, uint32_t point)
{
    if (point < 0x80)
        return crc_byte(model, crc, point);
    unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    crc = crc_byte(model, crc, (0xFF00u >> (more + 1) & 0xFF) | point >> 6 * more);
    while (more--)
        crc = crc_byte(model, crc, 0x80 | (point >> 6 * more & 0x3F));
    return crc;
}

uint32_t slot_start(uint32_t slot)
{
    return slot * 0x9E3779B1u;
}

struct past past_of_nothing(const struct model *model)
{
    struct past past = {.tail = {' '}, .tail_count = 1, .last = symbol_of(&model->parts, ' '), .sentence = '0', .first_shape = '-',
                        .last_shape = '-', .word_sentence = '0'};
    past.pair_start = crc_text(model, slot_start(PAIR_SLOT), "<|");
    return past;
}

static void push(struct past *past, const struct model *model, unsigned symbol)
{
    uint32_t point = model->parts.points[symbol];
    past->last = symbol;
    past->tail[past->tail_count++] = point >= '1' && point <= '9' ? '0' : point;
    if (past->tail_count > ORDER_MAX) {
        past->tail_count = ORDER_MAX;
        memmove(past->tail, past->tail + 1, ORDER_MAX * sizeof past->tail[0]);
    }
}

void add_letter(struct past *past, const struct model *model, unsigned symbol)
{
    uint32_t point = model->parts.points[symbol];
    if (past->letters == 0) {
        past->word_sentence = past->sentence;
        past->has_case = 0;
        past->prefix = slot_start(WORD_SLOT);
        past->pair = past->pair_start;
        past->own = slot_start(PAIR_SLOT);
        past->word = slot_start(FIRST_SHAPE_KEY + 3);
        past->word_here = slot_start(FIRST_SHAPE_KEY + 4);
    }
    uint32_t *each[] = {&past->prefix, &past->pair, &past->own, &past->word, &past->word_here};
    for (unsigned n = 0; n < sizeof each / sizeof each[0]; n++)
        *each[n] = crc_point(model, *each[n], point);
    past->letters++;
    past->has_case |= model->parts.capitals[symbol] != point;
    push(past, model, symbol);
}

void end_word(struct past *past, const struct model *model, unsigned shape)
{
    past->last_shape = (char)('0' + shape);
    if (past->first_shape == '-')
        past->first_shape = past->last_shape;
    past->pair_start = crc_byte(model, past->own, '|');
    past->letters = 0;
    past->sentence = '2';
}

void add_other(struct past *past, const struct model *model, unsigned symbol)
{
    uint32_t point = model->parts.points[symbol];
    if (point == '.' || point == '!' || point == '?' || point == ':' || point == '\n')
        past->sentence = '1';
    push(past, model, symbol);
}

static uint32_t tail_key(const struct past *past, const struct model *model, uint32_t crc, unsigned order)
{
    unsigned from = past->tail_count > order ? past->tail_count - order : 0;
    for (unsigned n = from; n < past->tail_count; n++)
        crc = crc_point(model, crc, past->tail[n]);
    return crc;
}

void symbol_keys(const struct past *past, const struct model *model, uint32_t keys[SLOTS])
{
    for (unsigned order = TABLED; order <= ORDER_MAX; order++)
        keys[order] = tail_key(past, model, slot_start(order), order);
    if (past->letters) {
        keys[WORD_SLOT] = crc_byte(model, past->prefix, '|');
        keys[PAIR_SLOT] = past->pair;
    } else {
        keys[WORD_SLOT] = tail_key(past, model, crc_byte(model, slot_start(WORD_SLOT), '|'), 2);
        keys[PAIR_SLOT] = tail_key(past, model, past->pair_start, 1);
    }
}

void shape_keys(const struct past *past, const struct model *model, uint32_t keys[SHAPE_SLOTS])
{
    const char here[] = {past->word_sentence, past->first_shape, 0};
    const char with_last[] = {past->word_sentence, past->first_shape, past->last_shape, 0};
    const char with_length[] = {(char)('0' + (past->letters < 3 ? past->letters : 3)), past->last_shape, 0};
    keys[0] = slot_start(FIRST_SHAPE_KEY);
    keys[1] = crc_text(model, slot_start(FIRST_SHAPE_KEY + 1), here);
    keys[2] = crc_text(model, slot_start(FIRST_SHAPE_KEY + 2), with_last);
    keys[3] = past->word;
    keys[4] = crc_text(model, past->word_here, here);
    keys[5] = crc_text(model, crc_text(model, slot_start(FIRST_SHAPE_KEY + 5), with_length), here);
}
