/* SPDX-License-Identifier: BSD-3-Clause */
/* Computes the distance of two words: the number of edits that turn one into the other. */
#include "app/cli/nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 32

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits that make b from a: insert, delete, replace, swap neighbours. */
static unsigned int edits(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n_a; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= n_b; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= n_a; i++) {
		for (size_t j = 1; j <= n_b; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n_a][n_b];
}

void pw_nearest_try(struct pw_nearest *n, const char *word, const char *candidate)
{
	size_t n_word = strlen(word), n_cand = strlen(candidate);
	size_t longer = n_word > n_cand ? n_word : n_cand;
	unsigned int d;

	if (n_word < 2 || longer > WORD_MAX)
		return;
	/* "--dig" more probably means --digest than --tsi. */
	d = !strncmp(word, candidate, n_word) ? 1 : edits(word, n_word, candidate, n_cand);
	if (d > 1 + longer / 4 || d >= longer)
		return;
	if (!n->best || d < n->distance) {
		n->best = candidate;
		n->distance = d;
	}
}
