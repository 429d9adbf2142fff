/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was changed, in /run, which a restart of the host empties as it undoes the changes. Where /run
 * outlives it, the kernel's boot id tells. The directory is its owner's alone and is not followed
 * through links; still the content is held against what a step can be before anything acts on it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/fix_private.h"

#define DIR_NAME  "/run/pagewire"
#define FILE_NAME "doctor.json"
#define NEW_NAME  "doctor.json.new"
#define SCHEMA    "pagewire.doctor-undo/1"
#define MAX_BYTES (64u << 10)
#define MAX_PAGES (1ull << 40)

static const char *const kinds[] = {"module", "noiommu", "pages", "dir", "mount", "bind"};

static int bad(struct pw_err *err, const char *why)
{
	return pw_err_set(err, EBADMSG,
		"read " DIR_NAME "/" FILE_NAME ": %s; look at it, put back by hand what it names, "
		"and remove it",
		why);
}

static int check_dir(int fd, struct pw_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return pw_err_sys(err, errno, "look at " DIR_NAME);
	if (st.st_uid != geteuid() || (st.st_mode & 0077))
		return pw_err_set(err, EPERM,
			"remember changes in " DIR_NAME ": others may write or read there; chown "
			"root " DIR_NAME " && chmod 700 " DIR_NAME);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return pw_err_set(err, EBUSY,
			"change this host: another `pagewire doctor` is at it; wait for its end");
	return 0;
}

int pw_fixlog_open(
	struct pw_fixlog *log, const struct pw_sysroot *root, bool create, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX];
	int r;

	*log = (struct pw_fixlog){.root = root, .dir_fd = -1};
	snprintf(path, sizeof(path), "%s" DIR_NAME, pw_sysroot_is_real(root) ? "" : root->root);
	if (create && mkdir(path, 0700) && errno != EEXIST)
		return pw_err_sys(err, errno, "make " DIR_NAME " to remember changes in");
	log->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (log->dir_fd < 0 && errno == ENOENT && !create)
		return 0;
	if (log->dir_fd < 0)
		return pw_err_sys(err, errno, "open directory " DIR_NAME);
	r = check_dir(log->dir_fd, err);
	if (r)
		pw_fixlog_close(log);
	return r;
}

void pw_fixlog_close(struct pw_fixlog *log)
{
	if (log->dir_fd >= 0)
		close(log->dir_fd);
	log->dir_fd = -1;
}

static bool is_name(const char *s, size_t room)
{
	size_t i, n = strlen(s);

	if (n >= room)
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
			return false;
	return n == 0 || isalnum((unsigned char)s[0]) || s[0] == '_';
}

/* Interfaces have any name; it must not end a path or a line. */
static bool is_interface(const char *s)
{
	size_t i, n = strlen(s);

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f || s[i] == '/')
			return false;
	return n < IFNAMSIZ && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static bool read_pages(json_t *o, struct pw_fix_step *s)
{
	json_int_t page, before, more, got = -1;
	uint64_t max = MAX_PAGES;

	if (json_unpack(o, "{s:i, s:I, s:I, s:I, s?I}", "node", &s->node, "page_bytes", &page,
		    "before", &before, "more", &more, "got", &got))
		return false;
	s->page_bytes = (uint64_t)page;
	s->n_before = (uint64_t)before;
	s->n_more = (uint64_t)more;
	s->confirmed = got >= 0;
	s->n_got = s->confirmed ? (uint64_t)got : 0;
	return s->node >= -1 && s->node < 4096 && page >= 4096 && (page & (page - 1)) == 0 &&
	       before >= 0 && s->n_before <= max && more > 0 && s->n_more <= max &&
	       s->n_got <= s->n_more;
}

static bool read_mount(json_t *o, struct pw_fix_step *s)
{
	json_int_t device = -1, page = 0;

	if (json_unpack(o, "{s:I, s?I}", "page_bytes", &page, "device", &device))
		return false;
	s->page_bytes = (uint64_t)page;
	s->confirmed = device >= 0;
	s->device = s->confirmed ? (uint64_t)device : 0;
	return page >= 4096;
}

static bool read_bind(json_t *o, struct pw_fix_step *s)
{
	const char *from, *override, *to, *interface;
	json_int_t mtu;
	int up;

	if (json_unpack(o, "{s:s, s:s, s:s, s:s, s:I, s:b}", "from", &from, "override", &override,
		    "to", &to, "interface", &interface, "mtu", &mtu, "up", &up))
		return false;
	if (!is_name(from, sizeof(s->was.driver)) || !is_name(override, sizeof(s->was.override)) ||
		!is_name(to, sizeof(s->driver)) || !to[0] || !is_interface(interface) || mtu < 0 ||
		mtu > UINT32_MAX || pw_pci_normalize(s->object, s->was.addr) ||
		strcmp(s->object, s->was.addr) != 0)
		return false;
	strcpy(s->was.driver, from);
	strcpy(s->was.override, override);
	strcpy(s->driver, to);
	strcpy(s->interface, interface);
	s->mtu = (uint32_t)mtu;
	s->up = up;
	return true;
}

static bool read_step(json_t *o, struct pw_fix_step *s)
{
	const char *kind, *object;
	size_t i;

	memset(s, 0, sizeof(*s));
	if (json_unpack(o, "{s:s, s:s}", "kind", &kind, "object", &object) ||
		snprintf(s->object, sizeof(s->object), "%s", object) >= (int)sizeof(s->object))
		return false;
	for (i = 0; i < PW_ARRAY_LEN(kinds) && strcmp(kinds[i], kind) != 0; i++)
		;
	s->kind = (enum pw_fix_kind)i;
	s->state = PW_FIX_DONE;
	switch (i) {
	case PW_FIX_NOIOMMU:
		return object[0] == '\0';
	case PW_FIX_PAGES:
		return object[0] == '\0' && read_pages(o, s);
	case PW_FIX_DIR:
		return strcmp(object, PW_FIX_MOUNT_DIR) == 0;
	case PW_FIX_MOUNT:
		return strcmp(object, PW_FIX_MOUNT_DIR) == 0 && read_mount(o, s);
	case PW_FIX_BIND:
		return read_bind(o, s);
	default:
		return false;
	}
}

static int read_text(const struct pw_fixlog *log, char *text, struct pw_err *err)
{
	struct stat st;
	ssize_t n;
	int fd = openat(log->dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	text[0] = '\0';
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return pw_err_sys(err, errno, "open " DIR_NAME "/" FILE_NAME);
	n = fstat(fd, &st) ? -1 : read(fd, text, MAX_BYTES);
	close(fd);
	if (n < 0)
		return pw_err_sys(err, errno, "read " DIR_NAME "/" FILE_NAME);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022) ||
		st.st_nlink != 1 || n == 0 || n == MAX_BYTES)
		return bad(err, "it is not a small file of root's alone");
	text[n] = '\0';
	return (int)n;
}

static int read_steps(json_t *all, const char *boot, struct pw_fix *fix, struct pw_err *err)
{
	const char *schema, *was_boot;
	json_t *steps, *o;
	size_t i;

	if (json_unpack(all, "{s:s, s:s, s:o}", "schema", &schema, "boot", &was_boot, "steps",
		    &steps) ||
		strcmp(schema, SCHEMA) != 0 || !json_is_array(steps))
		return bad(err, "it is not what this pagewire writes");
	if (strcmp(boot, was_boot) != 0)
		return 0; /* the restart has undone it */
	if (json_array_size(steps) > PW_FIX_STEPS_MAX)
		return bad(err, "it has too many steps");
	json_array_foreach(steps, i, o)
	{
		if (!read_step(o, &fix->steps[i]))
			return bad(err, "a step in it cannot be one of ours");
	}
	fix->n = (unsigned int)json_array_size(steps);
	return 0;
}

static void read_boot(const struct pw_fixlog *log, char boot[48])
{
	pw_sysfs_read(log->root, boot, 48, "/proc/sys/kernel/random/boot_id");
}

int pw_fixlog_load(const struct pw_fixlog *log, struct pw_fix *fix, struct pw_err *err)
{
	char *text, boot[48];
	json_t *all;
	int r;

	fix->n = 0;
	if (log->dir_fd < 0)
		return 0;
	text = malloc(MAX_BYTES + 1);
	if (!text)
		return pw_err_sys(err, ENOMEM, "read " DIR_NAME "/" FILE_NAME);
	r = read_text(log, text, err);
	if (r > 0) {
		read_boot(log, boot);
		all = json_loadb(text, (size_t)r, JSON_REJECT_DUPLICATES, NULL);
		r = all ? read_steps(all, boot, fix, err) : bad(err, "it is no JSON");
		json_decref(all);
	}
	free(text);
	if (r)
		fix->n = 0;
	return r;
}

static json_t *json_of(const struct pw_fix_step *s)
{
	json_t *o = json_pack("{s:s, s:s}", "kind", kinds[s->kind], "object", s->object);

	if (s->kind == PW_FIX_PAGES)
		json_object_update_new(
			o, json_pack("{s:i, s:I, s:I, s:I}", "node", s->node, "page_bytes",
				   (json_int_t)s->page_bytes, "before", (json_int_t)s->n_before,
				   "more", (json_int_t)s->n_more));
	if (s->kind == PW_FIX_PAGES && s->confirmed)
		json_object_set_new(o, "got", json_integer((json_int_t)s->n_got));
	if (s->kind == PW_FIX_MOUNT)
		json_object_set_new(o, "page_bytes", json_integer((json_int_t)s->page_bytes));
	if (s->kind == PW_FIX_MOUNT && s->confirmed)
		json_object_set_new(o, "device", json_integer((json_int_t)s->device));
	if (s->kind == PW_FIX_BIND)
		json_object_update_new(
			o, json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "from", s->was.driver,
				   "override", s->was.override, "to", s->driver, "interface",
				   s->interface, "mtu", (json_int_t)s->mtu, "up", s->up));
	return o;
}

static int write_new(const struct pw_fixlog *log, const json_t *all)
{
	int r = 0, fd;

	unlinkat(log->dir_fd, NEW_NAME, 0); /* of one who was killed here */
	fd = openat(
		log->dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (json_dumpfd(all, fd, JSON_INDENT(1)) || fsync(fd))
		r = errno ? -errno : -EIO;
	close(fd);
	if (r == 0 && renameat(log->dir_fd, NEW_NAME, log->dir_fd, FILE_NAME))
		r = -errno;
	if (r)
		unlinkat(log->dir_fd, NEW_NAME, 0);
	return r;
}

int pw_fixlog_store(const struct pw_fixlog *log, const struct pw_fix *fix, struct pw_err *err)
{
	json_t *all, *steps = json_array();
	unsigned int i;
	char boot[48];
	int r = 0;

	for (i = 0; i < fix->n; i++)
		if (fix->steps[i].kind != PW_FIX_MODULE && fix->steps[i].state != PW_FIX_UNDONE &&
			json_array_append_new(steps, json_of(&fix->steps[i])))
			r = -ENOMEM;
	read_boot(log, boot);
	all = json_pack("{s:s, s:s, s:o}", "schema", SCHEMA, "boot", boot, "steps", steps);
	if (!all)
		r = -ENOMEM;
	if (r == 0 && json_array_size(steps) == 0)
		r = unlinkat(log->dir_fd, FILE_NAME, 0) && errno != ENOENT ? -errno : 0;
	else if (r == 0)
		r = write_new(log, all);
	json_decref(all);
	return r ? pw_err_sys(err, -r, "write " DIR_NAME "/" FILE_NAME) : 0;
}
