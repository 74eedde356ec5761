/* The n-gram model: ngram.py says how and why. */

#include <string.h>

#include "textcoder.h"

enum { SHAPE_SET = 4 * (ORDER_MAX + 1), WEIGHT_SETS, COUNT_STATES = 256 };
enum { FOLLOWERS_MAX = 255, FINGERPRINT_BITS = 12 };
enum { ODDS_MAX = 11 * 256, ODDS_SHIFT = 15 };

static const uint16_t LEVELS[16] = {1, 2, 3, 4, 6, 9, 14, 22, 36, 60, 100, 180, 340, 700, 1800, 6000};
static const uint16_t COUNT_STEPS[15] = {1, 2, 3, 4, 5, 7, 10, 15, 23, 37, 61, 111, 221, 501, COUNTED_MAX};

static void fill_tables(struct model *model)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t rest = n;
        for (int bit = 0; bit < 8; bit++)
            rest = rest & 1 ? 0xEDB88320u ^ rest >> 1 : rest >> 1;
        model->crc[n] = rest;
    }
    for (unsigned total = 0, class = 0; total < COUNTED_MAX; total++) {
        while (total >= COUNT_STEPS[class])
            class++;
        model->classes[total] = (uint8_t)class;
    }
}

/* Let a symbol's way grow; 0 when it runs into another's or has an impossible length. */
static int plant(struct model *model, unsigned symbol, unsigned *nodes)
{
    unsigned node = 0, depth = model->parts.depths[symbol];
    uint32_t code = model->parts.codes[symbol];
    if (depth < 1 || depth > CODE_BITS)
        return 0;
    for (unsigned at = 1; at < depth; at++) {
        uint16_t *next = &model->tree[node][code >> (CODE_BITS - at) & 1];
        if (*next == 0 && *nodes < SYMBOLS_MAX)
            *next = (uint16_t)(*nodes)++;
        if (*next == 0 || *next & LEAF)
            return 0;
        node = *next;
    }
    uint16_t *end = &model->tree[node][code >> (CODE_BITS - depth) & 1];
    if (*end != 0)
        return 0;
    *end = (uint16_t)(LEAF | symbol);
    return 1;
}

/* Build the tree; 0 unless every way down it ends at a symbol. */
static int grow(struct model *model)
{
    unsigned nodes = 1;
    for (unsigned symbol = 0; symbol < model->parts.symbol_count; symbol++)
        if (!plant(model, symbol, &nodes))
            return 0;
    for (unsigned node = 0; node < nodes; node++)
        if (model->tree[node][0] == 0 || model->tree[node][1] == 0)
            return 0;
    return 1;
}

/* Say whether all numbers that serve as a place lie within the array they point into. */
static int in_bounds(const struct parts *parts)
{
    if (parts->symbol_count < 2 || parts->symbol_count > SYMBOLS_MAX || parts->start_count < 2
        || parts->squash_count != 2 * ODDS_MAX + 1 || parts->weight_count != WEIGHT_SETS * SLOTS
        || parts->logit_count != (SLOTS + SHAPE_SLOTS) * COUNT_STATES || parts->starts[0] != 0)
        return 0;
    for (uint32_t bucket = 1; bucket < parts->start_count; bucket++) {
        uint32_t start = parts->starts[bucket - 1], end = parts->starts[bucket];
        if (end < start || end - start > FOLLOWERS_MAX)
            return 0;
    }
    for (uint32_t n = 0; n < parts->known_count; n++)
        if (parts->known_symbols[n] >= parts->symbol_count)
            return 0;
    return parts->starts[parts->start_count - 1] == parts->entry_count;
}

unsigned symbol_of(const struct parts *parts, uint32_t point)
{
    uint32_t first = 0, end = parts->known_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (parts->known[middle] < point)
            first = middle + 1;
        else
            end = middle;
    }
    return first < parts->known_count && parts->known[first] == point ? parts->known_symbols[first] : ESCAPE;
}

struct followers { /* what came after one context, and how often */
    unsigned count;
    uint32_t codes[FOLLOWERS_MAX];
    uint16_t counts[FOLLOWERS_MAX];
};

static uint32_t first_from(const uint16_t *entries, uint32_t first, uint32_t end, uint32_t least)
{
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (entries[middle] < least)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static void look_up(const struct parts *parts, uint32_t key, const uint32_t *codes, unsigned code_count,
                    struct followers *found)
{
    uint32_t bucket = (uint32_t)((uint64_t)key * (parts->start_count - 1) >> 32);
    uint32_t fingerprint = key & ((1u << FINGERPRINT_BITS) - 1);
    uint32_t end = parts->starts[bucket + 1];
    found->count = 0;
    for (uint32_t n = first_from(parts->entries, parts->starts[bucket], end, fingerprint << 4);
         n < end && parts->entries[n] >> 4 == fingerprint; n++) {
        if (parts->symbols[n] >= code_count) /* another context's entry, with a symbol that is none here */
            continue;
        found->codes[found->count] = codes[parts->symbols[n]];
        found->counts[found->count++] = LEVELS[parts->entries[n] & 0xF];
    }
}

static unsigned class_of(const struct model *model, uint32_t total)
{
    return total < COUNTED_MAX ? model->classes[total] : 15;
}

/* Return how often texts went either way at the fork of `mask`: two classes of four bits. */
static unsigned state_of(const struct model *model, const struct followers *followers, uint32_t mask)
{
    uint32_t ways[2] = {0, 0};
    for (unsigned n = 0; n < followers->count; n++)
        ways[(followers->codes[n] & mask) != 0] += followers->counts[n];
    return class_of(model, ways[0]) << 4 | class_of(model, ways[1]);
}

/* Keep what went to `bit` at the fork of `mask`. */
static void narrow(struct followers *followers, uint32_t mask, unsigned bit)
{
    unsigned kept = 0;
    for (unsigned n = 0; n < followers->count; n++) {
        followers->codes[kept] = followers->codes[n];
        followers->counts[kept] = followers->counts[n];
        kept += ((followers->codes[n] & mask) != 0) == bit;
    }
    followers->count = kept;
}

/* Return the chance in 1/65536 that the way down goes to 1. */
static uint32_t chance(const struct parts *parts, const struct question *question, const unsigned *states,
                       unsigned weight_set)
{
    const int16_t *weights = parts->weights + weight_set * SLOTS;
    const int16_t *logits = parts->logits + question->first_slot * COUNT_STATES;
    int64_t odds = 0;
    for (unsigned slot = 0; slot < question->slots; slot++)
        odds += states[slot] ? (int64_t)weights[slot] * logits[slot * COUNT_STATES + states[slot]] : 0;
    const int64_t unit = (int64_t)1 << ODDS_SHIFT;
    odds = odds >= 0 ? odds / unit : -((-odds + unit - 1) / unit); /* rounded down, as Python's >> */
    odds = odds > ODDS_MAX ? ODDS_MAX : odds < -ODDS_MAX ? -ODDS_MAX : odds;
    return parts->squash[odds + ODDS_MAX];
}

/* Fill in the state of each slot at a node. */
static void note_states(const struct model *model, const struct question *question, const struct followers *known,
                        unsigned node, uint32_t mask, unsigned *states)
{
    if (question->tabled) {
        states[0] = model->tabled[EMPTY][node];
        states[1] = model->tabled[question->last][node];
    }
    for (unsigned slot = question->tabled; slot < question->slots; slot++)
        states[slot] = known[slot].count ? state_of(model, &known[slot], mask) : 0;
}

/* Return which weights to use, by the states at the first node: 0 there means that nothing is known at all. */
static unsigned weight_set_of(const struct question *question, const unsigned *states)
{
    unsigned order = ORDER_MAX;
    if (question->first_slot)
        return SHAPE_SET;
    while (order && !states[order])
        order--;
    return 4 * order + (states[PAIR_SLOT] ? 2 : 0) + (states[WORD_SLOT] ? 1 : 0);
}

/* Go down the tree, a decision at each fork; return where it ends. */
unsigned ask(const struct model *model, struct coder *coder, const struct question *question, unsigned wanted)
{
    struct followers known[SLOTS];
    unsigned states[SLOTS], node = 0;
    for (unsigned slot = question->tabled; slot < question->slots; slot++)
        look_up(&model->parts, question->keys[slot], question->codes, question->code_count, &known[slot]);
    uint32_t mask = 1u << (CODE_BITS - 1), code = question->codes[wanted];
    note_states(model, question, known, node, mask, states);
    unsigned weight_set = weight_set_of(question, states);
    for (;;) {
        uint32_t probability = chance(&model->parts, question, states, weight_set);
        unsigned bit = code_bit(coder, probability, (code & mask) != 0);
        node = question->tree[node][bit];
        if (node & LEAF)
            return node & ~(unsigned)LEAF;
        for (unsigned slot = question->tabled; slot < question->slots; slot++)
            narrow(&known[slot], mask, bit);
        mask >>= 1;
        note_states(model, question, known, node, mask, states);
    }
}

/* Work out the state at each node for one context. */
static void fill_row(struct model *model, uint32_t key, uint8_t *row)
{
    struct followers followers;
    uint32_t ways[SYMBOLS_MAX][2] = {{0}};
    look_up(&model->parts, key, model->parts.codes, model->parts.symbol_count, &followers);
    for (unsigned n = 0; n < followers.count; n++) {
        unsigned node = 0;
        for (uint32_t mask = 1u << (CODE_BITS - 1); !(node & LEAF); mask >>= 1) {
            unsigned bit = (followers.codes[n] & mask) != 0;
            ways[node][bit] += followers.counts[n];
            node = model->tree[node][bit];
        }
    }
    for (unsigned node = 0; node < SYMBOLS_MAX; node++)
        row[node] = (uint8_t)(class_of(model, ways[node][0]) << 4 | class_of(model, ways[node][1]));
}

uint32_t textcoder_version(void)
{
    return TEXTCODER_VERSION;
}

/* Return how many bytes textcoder_open fills. */
size_t textcoder_model_bytes(void)
{
    return sizeof(struct model);
}

/* Prepare a model; 0 when its parts do not fit each other. */
int textcoder_open(struct model *model, const struct parts *parts)
{
    if (!in_bounds(parts) || symbol_of(parts, ' ') == ESCAPE)
        return 0;
    memset(model, 0, sizeof *model);
    model->parts = *parts;
    fill_tables(model);
    if (!grow(model))
        return 0;
    fill_row(model, slot_start(0), model->tabled[EMPTY]);
    for (unsigned symbol = ESCAPE; symbol < parts->symbol_count; symbol++)
        fill_row(model, crc_point(model, slot_start(1), parts->points[symbol]), model->tabled[symbol]);
    return 1;
}
