/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scanner for the JSON of a gap manifest, which reads the text once from front to back. A manifest may have
 * a million files and as many ranges: a tree of all its values would take many times the memory of the
 * text. So jansson parses only single strings and values of unknown keys, each of a bounded size.
 *
 * All functions move s->at past the text that they have read. After a failure it is the position of the
 * fault.
 */
#ifndef PW_RECV_GAPSCAN_H
#define PW_RECV_GAPSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_GAPSCAN_VALUE_MAX 65536u /* bytes of one value that jansson reads */
#define PW_GAPSCAN_KEY_MAX   32u    /* longer keys are unknown ones, and are cut */

struct pw_gapscan {
	const char *text;
	size_t len, at;
};

enum pw_gapscan_item { PW_GAPSCAN_BAD, PW_GAPSCAN_ITEM, PW_GAPSCAN_END };

/* Takes the character c; false: another one is there. */
bool pw_gapscan_take(struct pw_gapscan *s, char c);
/* Inside a list or an object that ends with `close`: takes the comma before the next item, or the end. */
enum pw_gapscan_item pw_gapscan_next(struct pw_gapscan *s, char close, bool first);
/* A key and its colon. */
bool pw_gapscan_key(struct pw_gapscan *s, char key[PW_GAPSCAN_KEY_MAX]);
/* An integer 0..max. */
bool pw_gapscan_u64(struct pw_gapscan *s, uint64_t max, uint64_t *out);
/* malloc; NULL when the next value is not a string, or memory is short. */
char *pw_gapscan_string(struct pw_gapscan *s);
/* Skips any value. */
bool pw_gapscan_skip(struct pw_gapscan *s);
/* Whether nothing but white space is left. */
bool pw_gapscan_at_end(struct pw_gapscan *s);
/* The line of s->at, from 1. */
unsigned int pw_gapscan_line(const struct pw_gapscan *s);

#endif
