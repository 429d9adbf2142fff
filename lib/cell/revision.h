/* SPDX-License-Identifier: BSD-3-Clause */
/* The revision that this program was built from, and the liburing that it was built with. */
#ifndef PW_CELL_REVISION_H
#define PW_CELL_REVISION_H

extern const char pw_cell_revision[]; /* git's; "": built without a repository */
extern const char pw_cell_uring_version[];

#endif
