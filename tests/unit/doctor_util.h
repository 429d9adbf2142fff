/* SPDX-License-Identifier: BSD-3-Clause */
/* A host in order and a job on it, which tests break, and what doctor then reports. */
#ifndef TESTS_UNIT_DOCTOR_UTIL_H
#define TESTS_UNIT_DOCTOR_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/doctor/doctor.h"
#include "sysfix.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

struct doctor {
	struct sysfix fix;
	char file[512];
	struct pw_doctor_options opt;
	struct pw_doctor_host host;
	struct pw_doctor_job job;
	struct pw_doctor_report report;
};

/* Makes the host, below a temporary directory, and a file of 300 MiB; cmocka's fixtures. */
int setup(void **state);
int teardown(void **state);

/* Sees and plans; the test may change host and job before judge(). */
void look(struct doctor *d, const char *port, const char *file);
void judge(struct doctor *d);
/* look() and judge() */
void examine(struct doctor *d, const char *port, const char *file);

const struct pw_doctor_result *find(const struct doctor *d, const char *id);
/* what and fix are parts of the texts; fix NULL: there is none. */
void expect(const struct doctor *d, const char *id, enum pw_doctor_level level, const char *what,
	const char *fix);
/* The only checks that are not in order; NULL-terminated. Each has a fix. */
void expect_only(const struct doctor *d, const char *const *ids);

#define ONLY(d, ...) expect_only(d, (const char *const[]){__VA_ARGS__, NULL})
#define NOTHING(d)   expect_only(d, (const char *const[]){NULL})

bool every_driver(const char *driver);
bool no_driver(const char *driver);

/* Prints that the tests are skipped: no port can be read then. */
bool doctor_without_dpdk(void);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
