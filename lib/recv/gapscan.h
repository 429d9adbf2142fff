/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a gap manifest's JSON from front to back. A manifest may have a million files and as many
 * ranges: a tree of all its values would take many times the memory of the text, so only single
 * strings and values of unknown keys go through jansson, each of a bounded size.
 *
 * All functions move s->at behind what they have read. After a failure the position is where the
 * text is at fault.
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

/* Takes one character of structure. */
bool pw_gapscan_take(struct pw_gapscan *s, char c);
/* Inside of a list or an object that ends with `close`: is there another item? Takes the comma, or
 * the end. */
enum pw_gapscan_item pw_gapscan_next(struct pw_gapscan *s, char close, bool first);
/* A key and its colon. */
bool pw_gapscan_key(struct pw_gapscan *s, char key[PW_GAPSCAN_KEY_MAX]);
/* An integer 0..max. */
bool pw_gapscan_u64(struct pw_gapscan *s, uint64_t max, uint64_t *out);
/* malloc; NULL when there is no string, or memory is out. */
char *pw_gapscan_string(struct pw_gapscan *s);
/* Any value. */
bool pw_gapscan_skip(struct pw_gapscan *s);
/* Nothing but white space is left. */
bool pw_gapscan_at_end(struct pw_gapscan *s);
/* The line, from 1, where it stands. */
unsigned int pw_gapscan_line(const struct pw_gapscan *s);

#endif
