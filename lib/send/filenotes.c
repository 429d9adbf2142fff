/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/filenotes.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "file/outdir.h"
#include "recv/gaps.h"

#define TEXT_MAX 480 /* bytes that one line of the log takes */

void pw_filenotes_add(struct pw_filenotes *notes, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (notes->n++ >= PW_FILENOTES_KEPT)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pw_control_mask(text);
	notes->text[notes->n - 1] = strdup(text); /* without memory it is only counted */
}

size_t pw_filenotes_kept(const struct pw_filenotes *notes)
{
	size_t n = 0;

	while (n < PW_FILENOTES_KEPT && notes->text[n])
		n++;
	return n;
}

void pw_filenotes_finish(struct pw_filenotes *notes)
{
	size_t i;

	for (i = 0; i < PW_FILENOTES_KEPT; i++)
		free(notes->text[i]);
	*notes = (struct pw_filenotes){0};
}

const char *pw_filenotes_name_fault(const char *name)
{
	const size_t first = strcspn(name, "/");
	const char *fault = pw_outname_fault(name);

	/* A directory of that name would be in the place of the receiver's manifest. */
	if (!fault && first == strlen(PW_GAPS_FILE) && !strncmp(name, PW_GAPS_FILE, first))
		fault = "its first component is the name of the gap manifest";
	return fault;
}

static bool generates_content(const char *path)
{
	static const __typeof__(((struct statfs *)NULL)->f_type) kinds[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC};
	struct statfs fs;
	size_t i;

	if (statfs(path, &fs) < 0)
		return false;
	for (i = 0; i < PW_ARRAY_LEN(kinds); i++)
		if (fs.f_type == kinds[i])
			return true;
	return false;
}

void pw_filenotes_empty_file(struct pw_filenotes *notes, const char *path)
{
	ssize_t n;
	char byte;
	int fd;

	/* On other file systems the size is right: do not read. */
	if (!generates_content(path))
		return;
	/* O_NONBLOCK: reading some of these files waits for an event. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, &byte, sizeof(byte));
	close(fd);
	if (n > 0)
		pw_filenotes_add(notes,
			"%.300s has no size but has content, as files of the kernel do: it is sent "
			"empty; copy it and send the copy",
			path);
}
