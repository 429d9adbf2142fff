/* SPDX-License-Identifier: BSD-3-Clause */
/* The Reed-Solomon code of Debian's libnorm: two C++ classes of the static library, which has no header for
 * them. The names are those of the linker; an object is given more memory than it uses. */
#ifndef PW_TESTS_UNIT_NORM_RS8_H
#define PW_TESTS_UNIT_NORM_RS8_H

#include <stdbool.h>
#include <stdint.h>

struct norm_rs8 {
	_Alignas(16) unsigned char object[256];
};

void norm_encoder_construct(struct norm_rs8 *c) __asm__("_ZN14NormEncoderRS8C1Ev");
void norm_encoder_destruct(struct norm_rs8 *c) __asm__("_ZN14NormEncoderRS8D1Ev");
bool norm_encoder_init(struct norm_rs8 *c, unsigned int k, unsigned int r, uint16_t len) __asm__(
	"_ZN14NormEncoderRS84InitEjjt");
/* Adds source symbol i to all parity symbols, which start as zeros. */
void norm_encoder_add(struct norm_rs8 *c, unsigned int i, const char *source,
	char **parity) __asm__("_ZN14NormEncoderRS86EncodeEjPKcPPc");

void norm_decoder_construct(struct norm_rs8 *c) __asm__("_ZN14NormDecoderRS8C1Ev");
void norm_decoder_destruct(struct norm_rs8 *c) __asm__("_ZN14NormDecoderRS8D1Ev");
bool norm_decoder_init(struct norm_rs8 *c, unsigned int k, unsigned int r, uint16_t len) __asm__(
	"_ZN14NormDecoderRS84InitEjjt");
/* symbols[k + r], lost ones zeroed; lost[n_lost] ascends. */
int norm_decoder_decode(struct norm_rs8 *c, char **symbols, unsigned int k, unsigned int n_lost,
	unsigned int *lost) __asm__("_ZN14NormDecoderRS86DecodeEPPcjjPj");

#endif
