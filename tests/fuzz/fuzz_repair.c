/* SPDX-License-Identifier: BSD-3-Clause */
/* The bodies that anyone may send to the sender's repair server, and the address that anyone may put into a file
 * table. The first byte chooses: 0 a report, 1 a packed manifest, 2 an address. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recv/gaps.h"
#include "repair/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

/* What was read is written, and read as the same. */
static void try_report(const char *text, size_t len)
{
	struct pw_repair_report report, back;
	char again[PW_REPAIR_JSON_MAX];
	size_t n;

	if (pw_repair_report_parse(text, len, &report, NULL) < 0)
		return;
	n = pw_repair_report_format(again, &report);
	check(n < sizeof(again));
	check(pw_repair_report_parse(again, n, &back, NULL) == 0);
	check(back.id == report.id && back.bytes == report.bytes &&
		!strcmp(back.name, report.name));
}

static void try_gaps(const uint8_t *data, size_t len)
{
	struct pw_gaps gaps;
	char *text;
	size_t n;

	if (pw_repair_unpack(data, len, &text, &n, NULL) < 0) {
		check(text == NULL);
		return;
	}
	check(n <= PW_REPAIR_TEXT_MAX);
	if (pw_gaps_parse(text, n, &gaps, NULL) == 0)
		pw_gaps_finish(&gaps);
	free(text);
}

static void try_url(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), again[PW_REPAIR_URL_MAX];
	struct pw_repair_url url, back;

	if (text && pw_repair_url_parse(text, &url, NULL) == 0) {
		check(pw_repair_url_parse(pw_repair_url_format(again, &url), &back, NULL) == 0);
		check(!memcmp(url.token, back.token, sizeof(url.token)));
		check(url.addr.port == back.addr.port && url.addr.port);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 0)
		try_report((const char *)data + 1, size - 1);
	else if (data[0] == 1)
		try_gaps(data + 1, size - 1);
	else
		try_url(data + 1, size - 1);
	return 0;
}
