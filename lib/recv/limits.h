/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds on the memory that a sender can make the receiver use. Those of queued packets are in room.h. */
#ifndef PW_RECV_LIMITS_H
#define PW_RECV_LIMITS_H

#define PW_RECV_MAX_FILES    1000000u     /* without max_files in the config */
#define PW_RECV_MAX_NAMES    (256u << 20) /* bytes of all names together */
#define PW_RECV_MAX_OPEN     1024u /* parts with an open file: mappings of a process are few */
#define PW_RECV_MAX_PARTS    (1ull << 30)   /* bytes of all bitmaps; less on a small host */
#define PW_RECV_MAX_RANGES   (1u << 20)     /* in one gap manifest */
#define PW_RECV_MAX_TABLES   (128ull << 20) /* bytes of tables that are not whole yet */
#define PW_RECV_MAX_PARITY   (256ull << 20) /* bytes of parity symbols; less on a small host */
#define PW_RECV_MAX_LEAVES   (64u << 20) /* of all files' leaves; then whole files are compared */
#define PW_RECV_MAX_SESSIONS 64u
#define PW_RECV_MAX_IGNORED  16u
#define PW_RECV_CLOSES       2u /* packets with flag A: one alone may be forged or stray */

#endif
