/* Text as questions to the model, in either direction: spelling.py says how and why. */

#include "textcoder.h"

enum { LOWER, TITLE, UPPER, MIXED, SHAPES };
enum { SAME_BLOCK = ONE / 8 * 7, BLOCK_BITS = 14, PLACE_BITS = 7 };

static const uint32_t SHAPE_CODES[SHAPES] = {0, 2u << 22, 6u << 21, 7u << 21};
static const uint16_t SHAPE_TREE[SHAPES - 1][2] = {{LEAF | LOWER, 1}, {LEAF | TITLE, 2}, {LEAF | UPPER, LEAF | MIXED}};

struct speller {
    const struct model *model;
    struct coder *coder;
    struct past past;
    uint32_t block; /* of the last character that the model does not know */
};

static unsigned spell_symbol(struct speller *speller, unsigned wanted)
{
    const struct model *model = speller->model;
    uint32_t keys[SLOTS];
    symbol_keys(&speller->past, model, keys);
    struct question question = {
        .keys = keys, .slots = SLOTS, .codes = model->parts.codes, .code_count = model->parts.symbol_count,
        .tree = model->tree, .tabled = TABLED, .last = speller->past.last,
    };
    return ask(model, speller->coder, &question, wanted);
}

static unsigned spell_shape(struct speller *speller, unsigned wanted)
{
    uint32_t keys[SHAPE_SLOTS];
    if (!speller->past.has_case)
        return wanted;
    shape_keys(&speller->past, speller->model, keys);
    struct question question = {
        .keys = keys, .slots = SHAPE_SLOTS, .first_slot = SLOTS, .codes = SHAPE_CODES, .code_count = SHAPES,
        .tree = SHAPE_TREE,
    };
    return ask(speller->model, speller->coder, &question, wanted);
}

/* Code a character that the model does not know; an error for one that Unicode does not have. */
static uint32_t spell_point(struct speller *speller, uint32_t wanted)
{
    struct coder *coder = speller->coder;
    uint32_t block = speller->block;
    if (!code_bit(coder, SAME_BLOCK, wanted >> PLACE_BITS == block))
        block = code_flags(coder, wanted >> PLACE_BITS, BLOCK_BITS);
    uint32_t point = block << PLACE_BITS | code_flags(coder, wanted, PLACE_BITS);
    if (!is_character(point))
        code_failed(coder, NO_CHARACTER);
    speller->block = block;
    return point;
}

static unsigned is_capital(const struct parts *parts, uint32_t point)
{
    return point != parts->points[symbol_of(parts, point)];
}

/* Tell which capitals the word has that just ended. */
static void write_shape(struct speller *speller, const uint32_t *word)
{
    const struct parts *parts = &speller->model->parts;
    unsigned letters = speller->past.letters, capitals = 0;
    if (!letters)
        return;
    for (unsigned n = 0; n < letters; n++)
        capitals += is_capital(parts, word[n]);
    unsigned shape = !capitals                                     ? LOWER
                     : capitals == 1 && is_capital(parts, word[0]) ? TITLE
                     : capitals == letters                         ? UPPER
                                                                   : MIXED;
    spell_shape(speller, shape);
    for (unsigned n = 0; shape == MIXED && n < letters; n++)
        code_bit(speller->coder, EVEN, is_capital(parts, word[n]));
    end_word(&speller->past, speller->model, shape);
}

/* Give the word that just ended, in small letters, the capitals it has. */
static void read_shape(struct speller *speller, uint32_t *word)
{
    const struct parts *parts = &speller->model->parts;
    unsigned letters = speller->past.letters;
    if (!letters)
        return;
    unsigned shape = spell_shape(speller, LOWER);
    for (unsigned n = 0; n < letters; n++) {
        unsigned capital = shape == UPPER || (shape == TITLE && n == 0);
        if (shape == MIXED)
            capital = code_bit(speller->coder, EVEN, 0);
        if (capital)
            word[n] = parts->capitals[symbol_of(parts, word[n])];
    }
    end_word(&speller->past, speller->model, shape);
}

/* Return how many bytes the text takes, written as far as they fit, or an error. */
long textcoder_encode(const struct model *model, const uint32_t *text, size_t count, uint8_t *out, size_t size)
{
    struct coder coder = encoder(out, size);
    struct speller speller = {model, &coder, past_of_nothing(model), 0};
    for (size_t n = 0; n < count && !coder.error; n++) {
        unsigned symbol = symbol_of(&model->parts, text[n]);
        spell_symbol(&speller, symbol);
        if (model->parts.capitals[symbol]) {
            add_letter(&speller.past, model, symbol);
            continue;
        }
        write_shape(&speller, text + n - speller.past.letters);
        if (symbol == ESCAPE)
            spell_point(&speller, text[n]);
        add_other(&speller.past, model, symbol);
    }
    spell_symbol(&speller, END);
    write_shape(&speller, text + count - speller.past.letters);
    return finish(&coder);
}

/* Write the characters, at most chars_max + 1, into out; return how many they are, or an error. */
long textcoder_decode(const struct model *model, const uint8_t *data, size_t size, uint32_t *out, size_t chars_max)
{
    struct coder coder = decoder(data, size);
    struct speller speller = {model, &coder, past_of_nothing(model), 0};
    for (size_t n = 0; n <= chars_max && !coder.error; n++) {
        unsigned symbol = spell_symbol(&speller, END);
        if (symbol != END && model->parts.capitals[symbol]) {
            add_letter(&speller.past, model, symbol);
            out[n] = model->parts.points[symbol];
            continue;
        }
        read_shape(&speller, out + n - speller.past.letters);
        if (symbol == END)
            return coder.error ? coder.error : (long)n;
        out[n] = symbol == ESCAPE ? spell_point(&speller, 0) : model->parts.points[symbol];
        add_other(&speller.past, model, symbol);
    }
    return coder.error ? coder.error : TOO_LONG;
}
