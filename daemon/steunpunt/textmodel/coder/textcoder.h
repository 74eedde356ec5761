/* The text coder, compiled: bit for bit what arithmetic.py, ngram.py, spelling.py and codepoints.py do.
 *
 * Those in steunpunt.protocol are the reference and say why; here each has a file of the same name, and Past in
 * spelling.py is past.c. Nothing here opens or prints anything, and nothing is kept between calls: what is read and
 * written is handed over with its size. A model is prepared once (textcoder_open) and only read from then on, by any
 * number of threads.
 */

#ifndef TEXTCODER_H
#define TEXTCODER_H

#include <stddef.h>
#include <stdint.h>

#ifndef TEXTCODER_VERSION
#define TEXTCODER_VERSION 1 /* native.py asks for this very number; another one for every change of the calls below */
#endif
#define CALLED_FROM_PYTHON __attribute__((visibility("default")))

/* What a call returns below zero; compiled.py has the same numbers. */
enum { NO_END = -1, TOO_LONG = -2, NO_CHARACTER = -3, NO_MEMORY = -4 };

/* --- arithmetic.c ------------------------------------------------------------------------------------------------ */

enum { ONE = 1 << 16, EVEN = ONE / 2, POINT_MAX = 0x10FFFF };

struct coder {
    uint64_t low, high, value;
    const uint8_t *data; /* read from, when decoding */
    uint8_t *out;        /* written to, when encoding; what does not fit is counted all the same */
    size_t size, at;     /* of data or out, and how far we are */
    int decoding;
    long error; /* the first one; from then on every bit is 0 */
};

struct coder encoder(uint8_t *out, size_t size);
struct coder decoder(const uint8_t *data, size_t size);
unsigned code_bit(struct coder *coder, uint32_t probability, unsigned wanted);
uint32_t code_flags(struct coder *coder, uint32_t wanted, int count);
void code_failed(struct coder *coder, long error);
long finish(struct coder *coder);
int is_character(uint32_t point); /* no surrogate, and not beyond Unicode */

/* --- ngram.c ----------------------------------------------------------------------------------------------------- */

enum { END = 0, ESCAPE = 1, SYMBOLS_MAX = 256, CODE_BITS = 24 };
enum { ORDER_MAX = 5, WORD_SLOT = ORDER_MAX + 1, PAIR_SLOT, SLOTS, SHAPE_SLOTS = 6 };
enum { COUNTED_MAX = 1501, LEAF = 0x8000, TABLED = 2, EMPTY = SYMBOLS_MAX };

struct parts { /* arrays that the caller keeps alive and unchanged, and how many each has; _Parts in native.py */
    const uint32_t *points;        /* by symbol: its character as the slots see it; 0 for the end */
    const uint32_t *capitals;      /* by symbol: 0 when it is no letter of words, else the capital, or itself */
    const uint32_t *codes;         /* by symbol: its way down the tree, flush left in CODE_BITS */
    const uint8_t *depths;         /* by symbol: how long that way is */
    const uint32_t *known;         /* characters that have a symbol, capitals included, ascending */
    const uint8_t *known_symbols;  /* the symbol of each */
    const uint16_t *squash;
    const int16_t *logits;
    const int16_t *weights;
    const uint32_t *starts;        /* by bucket: its first entry; one more at the end */
    const uint16_t *entries;
    const uint8_t *symbols;        /* by entry: what followed */
    uint32_t symbol_count, known_count, squash_count, logit_count, weight_count, start_count, entry_count;
};

struct model {
    struct parts parts;
    uint32_t crc[256];
    uint8_t classes[COUNTED_MAX]; /* of a sum of counts, 0 to 15 */
    uint16_t tree[SYMBOLS_MAX][2]; /* a node, or LEAF and a symbol; 0: nothing grew here yet */
    /* Orders 0 and 1 have few contexts with many followers: their state at each node, worked out once. By the last
     * symbol for order 1; order 0 comes at EMPTY. */
    uint8_t tabled[SYMBOLS_MAX + 1][SYMBOLS_MAX];
};

struct question {
    const uint32_t *keys;
    unsigned slots, first_slot; /* how many keys; the first one's place among the logits */
    const uint32_t *codes;      /* of each answer */
    unsigned code_count;
    const uint16_t (*tree)[2];
    unsigned tabled;   /* how many of the first slots the model has worked out beforehand: TABLED or 0 */
    unsigned last;     /* the last symbol, when there are any */
};

unsigned symbol_of(const struct parts *parts, uint32_t point);
uint32_t slot_start(uint32_t slot);
unsigned ask(const struct model *model, struct coder *coder, const struct question *question, unsigned wanted);

/* --- past.c ------------------------------------------------------------------------------------------------------ */

uint32_t crc_point(const struct model *model, uint32_t crc, uint32_t point);

struct past {
    uint32_t tail[ORDER_MAX + 1]; /* the last characters, the newest last; digits alike */
    unsigned tail_count;
    unsigned last; /* symbol */
    uint32_t pair_start;                        /* crc of the word before, in the slot of pairs */
    uint32_t prefix, pair, own, word, word_here; /* crcs of the word so far, each begun as its slot wants it */
    unsigned letters;                           /* of the word so far */
    int has_case;                               /* whether any of them has a capital */
    char sentence, first_shape, last_shape, word_sentence;
};

struct past past_of_nothing(const struct model *model);
void add_letter(struct past *past, const struct model *model, unsigned symbol);
void end_word(struct past *past, const struct model *model, unsigned shape);
void add_other(struct past *past, const struct model *model, unsigned symbol);
void symbol_keys(const struct past *past, const struct model *model, uint32_t keys[SLOTS]);
void shape_keys(const struct past *past, const struct model *model, uint32_t keys[SHAPE_SLOTS]);

/* --- spelling.c, codepoints.c and what is called from Python ------------------------------------------------------ */

CALLED_FROM_PYTHON uint32_t textcoder_version(void);
CALLED_FROM_PYTHON size_t textcoder_model_bytes(void);
CALLED_FROM_PYTHON int textcoder_open(struct model *model, const struct parts *parts);
CALLED_FROM_PYTHON long textcoder_encode(const struct model *model, const uint32_t *text, size_t count, uint8_t *out,
                                         size_t size);
CALLED_FROM_PYTHON long textcoder_decode(const struct model *model, const uint8_t *data, size_t size, uint32_t *out,
                                         size_t chars_max);
CALLED_FROM_PYTHON long textcoder_encode_points(const uint32_t *text, size_t count, uint8_t *out, size_t size);
CALLED_FROM_PYTHON long textcoder_decode_points(const uint8_t *data, size_t size, uint32_t *out, size_t chars_max);

#endif
