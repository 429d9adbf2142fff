/* SPDX-License-Identifier: BSD-3-Clause */
/* Parses a PORT, makes DPDK's devargs from it, and knows which pages each driver can send from. */
#include "dpdk/portspec.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "dpdk/config.h"
#include "host/limits.h"
#include "host/netif.h"

#define TPACKET_OVERHEAD 128 /* TPACKET2_HDRLEN and alignment, rounded up */

struct short_form {
	const char *prefix;
	enum pw_port_kind kind;
	const char *driver;
	const char *target; /* what follows the colon */
};

static const struct short_form short_forms[] = {
	{.prefix = "vhost:",
		.kind = PW_PORT_VHOST,
		.driver = "net_vhost",
		.target = "the path of a unix socket"},
	{.prefix = "virtio-user:",
		.kind = PW_PORT_VIRTIO_USER,
		.driver = "net_virtio_user",
		.target = "the path of a unix socket"},
	{.prefix = "memif:",
		.kind = PW_PORT_MEMIF,
		.driver = "net_memif",
		.target = "the path of a unix socket"},
	{.prefix = "af_packet:",
		.kind = PW_PORT_AF_PACKET,
		.driver = "net_af_packet",
		.target = "an interface"},
	{.prefix = "af_xdp:",
		.kind = PW_PORT_AF_XDP,
		.driver = "net_af_xdp",
		.target = "an interface"},
	{.prefix = "udp:", .kind = PW_PORT_UDP, .driver = "udp", .target = "an interface"},
	{.prefix = "tap:", .kind = PW_PORT_TAP, .driver = "net_tap", .target = "an interface"},
	{.prefix = "pcap:", .kind = PW_PORT_PCAP, .driver = "net_pcap", .target = "a file"},
};

/* `copies` counts what happens to a payload byte between tx_burst and the wire (or what takes its place) on
 * this process's CPU time. */
static const struct pw_driver_traits traits_table[] = {
	{.driver = "net_vhost",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.plain_free = true,
		.copy_why = "vhost copies once, in place of a NIC's DMA"},
	{.driver = "net_virtio_user",
		.reach = PW_REACH_EAL,
		.plain_free = true,
		.copy_why = "the vhost backend's core copies once"},
	{.driver = "net_memif",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.plain_free = true,
		.leaves_handlers = true,
		.copy_why = "memif copies once into the shared ring"},
	{.driver = "net_af_packet",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.plain_free = true,
		.needs_tag = true,
		.hands_over = true,
		.copy_why = "the driver copies into the PACKET_MMAP ring"},
	{.driver = "net_af_xdp",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.copy_why = "AF_XDP in copy mode: the kernel copies the UMEM frame"},
	{.driver = "net_tap",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.plain_free = true,
		.copy_why = "the kernel copies in writev()"},
	{.driver = "net_pcap",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.takes_chains = true,
		.plain_free = true,
		.hands_over = true,
		.copy_why = "libpcap copies into the file"},
	{.driver = "net_null",
		.reach = PW_REACH_ANY,
		.takes_chains = true,
		.plain_free = true,
		.hands_over = true,
		.copy_why = "nothing takes the packets"},
	{.driver = "udp",
		.reach = PW_REACH_ANY,
		.copies = 1,
		.hands_over = true,
		.copy_why = "the kernel copies into the socket's buffer"},
	{.driver = "net_ring",
		.reach = PW_REACH_ANY,
		.takes_chains = true,
		.copy_why = "mbuf pointers are passed on"},
	{.driver = "net_virtio",
		.reach = PW_REACH_DMA,
		.plain_free = true,
		.copy_why = "the device's DMA"},
	{.driver = "net_e1000_em",
		.reach = PW_REACH_DMA,
		.plain_free = true,
		.copy_why = "the device's DMA"},
	{.driver = "net_vmxnet3",
		.reach = PW_REACH_DMA,
		.plain_free = true,
		.copy_why = "the device's DMA"},
};

static const struct pw_driver_traits traits_memif_zc = {.driver = "net_memif",
	.reach = PW_REACH_EAL,
	.plain_free = true,
	.leaves_handlers = true,
	.copy_why = "memif in zero-copy mode"};
static const struct pw_driver_traits traits_unknown_vdev = {
	.driver = "", .reach = PW_REACH_EAL, .copy_why = "a driver that pagewire does not know"};
static const struct pw_driver_traits traits_pci = {
	.driver = "", .reach = PW_REACH_DMA, .copy_why = "the device's DMA"};

/* DDDD:BB:DD.F or BB:DD.F, then the end or a comma */
static bool is_pci_address(const char *s)
{
	static const char full[] = "hhhh:hh:hh.h";
	const char *pattern = full;
	size_t i;

	if (strlen(s) >= 7 && s[2] == ':')
		pattern = full + 5;
	for (i = 0; pattern[i]; i++)
		if (pattern[i] == 'h' ? !isxdigit((unsigned char)s[i]) : s[i] != pattern[i])
			return false;
	return s[i] == '\0' || s[i] == ',';
}

/* vhost:PATH,iommu=1: the guest has an IOMMU in front of its virtio device. */
static void take_iommu(struct pw_portspec *spec)
{
	static const char option[] = ",iommu=1";
	size_t len = strlen(spec->target), n = sizeof(option) - 1;

	if (spec->kind != PW_PORT_VHOST || len <= n || strcmp(spec->target + len - n, option))
		return;
	spec->target[len - n] = '\0';
	spec->iommu = true;
}

static int check_target(
	const struct pw_portspec *spec, const struct short_form *form, struct pw_err *err)
{
	const size_t len = strlen(spec->target);

	if (len == 0)
		return pw_err_set(err, EINVAL, "cannot use --port '%s': %s must follow '%s'",
			spec->text, form->target, form->prefix);
	if (strchr(spec->target, ','))
		return pw_err_set(err, EINVAL,
			"cannot use --port '%s': a comma would end the devargs; use another name%s",
			spec->text,
			spec->kind == PW_PORT_VHOST ? " (vhost:PATH,iommu=1 for a guest with an "
						      "IOMMU)"
						    : "");
	if (pw_portspec_is_socket(spec) && len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return pw_err_set(err, ENAMETOOLONG,
			"cannot use --port '%s': a socket's path has at most %zu bytes; use a "
			"shorter one",
			form->prefix, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	/* drivers cut a longer name silently */
	if ((pw_portspec_is_interface(spec) || spec->kind == PW_PORT_TAP) && len >= IFNAMSIZ)
		return pw_err_set(err, ENAMETOOLONG,
			"cannot use --port '%s': an interface's name has at most %d bytes; use a "
			"shorter one",
			spec->text, IFNAMSIZ - 1);
	return 0;
}

/* A port without a short form: a PCI address, null, or devargs. */
static int parse_other(struct pw_portspec *spec, struct pw_err *err)
{
	const char *s = spec->text;

	strcpy(spec->target, s);
	if (!strcmp(s, "null")) {
		spec->kind = PW_PORT_NULL;
		spec->target[0] = '\0';
		return 0;
	}
	if (is_pci_address(s)) {
		spec->kind = PW_PORT_PCI;
		return 0;
	}
	if (strncmp(s, "net_", 4) != 0 && strncmp(s, "eth_", 4) != 0 &&
		strncmp(s, "virtio_user", 11) != 0)
		return pw_err_set(err, EINVAL,
			"cannot use --port '%.40s': it names no port; use a PCI address, "
			"vhost:PATH, virtio-user:PATH, memif:PATH, af_packet:IF, af_xdp:IF, "
			"udp:IF, tap:IF, pcap:FILE, null or devargs (net_...)",
			s);
	spec->kind = PW_PORT_RAW;
	if (strcspn(s, ",") >= PW_DRIVER_NAME_MAX)
		return pw_err_set(err, ENAMETOOLONG,
			"cannot use --port '%.40s...': a device's name has at most %d bytes", s,
			PW_DRIVER_NAME_MAX - 1);
	return 0;
}

int pw_portspec_parse(const char *s, struct pw_portspec *spec, struct pw_err *err)
{
	size_t i;

	memset(spec, 0, sizeof(*spec));
	if (strlen(s) >= sizeof(spec->text))
		return pw_err_set(err, EINVAL,
			"cannot use --port: it has more than %zu bytes; use a shorter one",
			sizeof(spec->text) - 1);
	strcpy(spec->text, s);
	for (i = 0; i < PW_ARRAY_LEN(short_forms); i++) {
		const struct short_form *form = &short_forms[i];

		if (strncmp(s, form->prefix, strlen(form->prefix)))
			continue;
		spec->kind = form->kind;
		strcpy(spec->target, s + strlen(form->prefix));
		take_iommu(spec);
		return check_target(spec, form, err);
	}
	return parse_other(spec, err);
}

char *pw_portspec_driver(const struct pw_portspec *spec, char *buf, size_t len)
{
	size_t i, n;

	buf[0] = '\0';
	for (i = 0; i < PW_ARRAY_LEN(short_forms); i++)
		if (short_forms[i].kind == spec->kind)
			snprintf(buf, len, "%s", short_forms[i].driver);
	if (spec->kind == PW_PORT_NULL)
		snprintf(buf, len, "net_null");
	if (spec->kind == PW_PORT_RAW) {
		n = strcspn(spec->target, ",");
		while (n > 0 && isdigit((unsigned char)spec->target[n - 1]))
			n--;
		snprintf(buf, len, "%s%.*s", strncmp(spec->target, "virtio_user", 11) ? "" : "net_",
			(int)n, spec->target);
	}
	return buf;
}

uint32_t pw_portspec_af_packet_frame(uint32_t frame_bytes)
{
	uint32_t need = frame_bytes + TPACKET_OVERHEAD;

	return need <= 2048 ? 2048 : (uint32_t)pw_align_up(need, 4096);
}

uint32_t pw_portspec_af_packet_max(uint32_t slot_bytes)
{
	return (uint32_t)pw_align_down(slot_bytes, 4096) - TPACKET_OVERHEAD;
}

/* af_packet needs frames that divide blocks, and silently drops what does not fit a frame. */
static int af_packet_devargs(const struct pw_portspec *spec, unsigned int index,
	uint32_t frame_bytes, unsigned int n_queues, char *buf, size_t len)
{
	uint32_t framesz = pw_portspec_af_packet_frame(frame_bytes);

	return snprintf(buf, len,
		"net_af_packet%u,iface=%s,blocksz=%u,framesz=%u,framecnt=512,qpairs=%u", index,
		spec->target, framesz < 4096 ? 4096 : framesz, framesz, n_queues);
}

int pw_portspec_devargs(const struct pw_portspec *spec, unsigned int index, bool transmit,
	uint32_t frame_bytes, uint32_t queue_size, unsigned int n_queues, char *buf, size_t len,
	struct pw_err *err)
{
	const char *t = spec->target;
	int n = 0;

	switch (spec->kind) {
	case PW_PORT_PCI:
	case PW_PORT_UDP: /* never probed */
	case PW_PORT_RAW:
		n = snprintf(buf, len, "%s", t);
		break;
	case PW_PORT_VHOST:
		n = snprintf(buf, len, "net_vhost%u,iface=%s,queues=%u%s", index, t, n_queues,
			spec->iommu ? ",iommu-support=1" : "");
		break;
	case PW_PORT_VIRTIO_USER:
		n = snprintf(buf, len, "net_virtio_user%u,path=%s,queues=%u,queue_size=%u", index,
			t, n_queues, pw_dpdk_descs(queue_size));
		break;
	case PW_PORT_MEMIF:
		n = snprintf(buf, len,
			"net_memif%u,socket=%s,socket-abstract=no,role=%s,bsize=2048", index, t,
			transmit ? "client" : "server");
		break;
	case PW_PORT_AF_PACKET:
		n = af_packet_devargs(spec, index, frame_bytes, n_queues, buf, len);
		break;
	case PW_PORT_AF_XDP:
		n = snprintf(buf, len, "net_af_xdp%u,iface=%s,start_queue=0,queue_count=%u", index,
			t, n_queues);
		break;
	case PW_PORT_TAP:
		n = snprintf(buf, len, "net_tap%u,iface=%s", index, t);
		break;
	case PW_PORT_PCAP:
		n = snprintf(
			buf, len, "net_pcap%u,%s=%s", index, transmit ? "tx_pcap" : "rx_pcap", t);
		break;
	case PW_PORT_NULL:
		n = snprintf(buf, len, "net_null%u", index);
		break;
	}
	if (n < 0 || (size_t)n >= len)
		return pw_err_set(err, ENAMETOOLONG,
			"cannot use --port %.80s...: its devargs have more than %zu bytes; use a "
			"shorter name",
			spec->text, len - 1);
	return 0;
}

const struct pw_driver_traits *pw_driver_traits(
	const char *driver, bool is_pci, const char *devargs)
{
	size_t i;

	if (!strcmp(driver, "net_memif") && devargs && strstr(devargs, "zero-copy=yes"))
		return &traits_memif_zc;
	for (i = 0; i < PW_ARRAY_LEN(traits_table); i++)
		if (!strcmp(driver, traits_table[i].driver))
			return &traits_table[i];
	return is_pci ? &traits_pci : &traits_unknown_vdev;
}

bool pw_portspec_is_socket(const struct pw_portspec *spec)
{
	return spec->kind == PW_PORT_VHOST || spec->kind == PW_PORT_VIRTIO_USER ||
	       spec->kind == PW_PORT_MEMIF;
}

bool pw_portspec_is_interface(const struct pw_portspec *spec)
{
	return spec->kind == PW_PORT_AF_PACKET || spec->kind == PW_PORT_AF_XDP ||
	       spec->kind == PW_PORT_UDP;
}

/* The capabilities that the driver needs, as setcap writes them; "" when the process has them. */
static const char *missing_caps(const char *driver)
{
	struct pw_limits l;

	pw_limits_read(&l);
	if (!strcmp(driver, "net_af_packet") && !l.net_raw)
		return "cap_net_raw";
	if (!strcmp(driver, "net_tap") && !l.net_admin)
		return "cap_net_admin";
	if (!strcmp(driver, "net_af_xdp") && !(l.net_raw && l.net_admin && (l.bpf || l.sys_admin)))
		return "cap_net_raw,cap_net_admin,cap_bpf";
	return "";
}

int pw_portspec_check_caps(const struct pw_portspec *spec, const char *action, struct pw_err *err)
{
	char driver[PW_DRIVER_NAME_MAX];
	const char *caps = missing_caps(pw_portspec_driver(spec, driver, sizeof(driver)));

	if (caps[0] == '\0')
		return 0;
	return pw_err_set(err, EPERM,
		"cannot %s %s: it needs %s; run as root, or give the program %s+ep with setcap "
		"(pagewire doctor: caps)",
		action, spec->text, caps, caps);
}

int pw_portspec_check(const struct pw_portspec *spec, struct pw_err *err)
{
	struct pw_netif netif;
	int r = pw_portspec_is_interface(spec) ? pw_netif_query(spec->target, &netif, err) : 0;

	return r ? r : pw_portspec_check_caps(spec, "open", err);
}
