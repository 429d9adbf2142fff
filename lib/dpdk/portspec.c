/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/portspec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "dpdk/config.h"

#define TPACKET_OVERHEAD 128 /* TPACKET2_HDRLEN and alignment, rounded up */

struct short_form {
	const char *prefix;
	enum pw_port_kind kind;
	const char *driver;
	const char *target; /* what stands behind the colon */
};

static const struct short_form short_forms[] = {
	{"vhost:", PW_PORT_VHOST, "net_vhost", "the path of a unix socket"},
	{"virtio-user:", PW_PORT_VIRTIO_USER, "net_virtio_user", "the path of a unix socket"},
	{"memif:", PW_PORT_MEMIF, "net_memif", "the path of a unix socket"},
	{"af_packet:", PW_PORT_AF_PACKET, "net_af_packet", "an interface"},
	{"af_xdp:", PW_PORT_AF_XDP, "net_af_xdp", "an interface"},
	{"tap:", PW_PORT_TAP, "net_tap", "an interface"},
	{"pcap:", PW_PORT_PCAP, "net_pcap", "a file"},
};

/* `copies` is what happens to a payload byte between tx_burst and the wire (or what stands for it)
 * on this process's CPU time. */
static const struct pw_driver_traits traits_table[] = {
	{"net_vhost", PW_REACH_ANY, 1, false, true, "vhost copies once, in place of a NIC's DMA"},
	{"net_virtio_user", PW_REACH_EAL, 0, false, true, "the vhost backend's core copies once"},
	{"net_memif", PW_REACH_ANY, 1, false, true, "memif copies once into the shared ring"},
	{"net_af_packet", PW_REACH_ANY, 1, false, true,
		"the driver copies into the PACKET_MMAP ring"},
	{"net_af_xdp", PW_REACH_ANY, 1, false, false,
		"AF_XDP in copy mode: the kernel copies the UMEM frame"},
	{"net_tap", PW_REACH_ANY, 1, false, true, "the kernel copies in writev()"},
	{"net_pcap", PW_REACH_ANY, 1, true, true, "libpcap copies into the file"},
	{"net_null", PW_REACH_ANY, 0, true, true, "nothing takes the packets"},
	{"net_ring", PW_REACH_ANY, 0, true, false, "mbuf pointers are passed on"},
	{"net_virtio", PW_REACH_DMA, 0, false, true, "the device's DMA"},
	{"net_e1000_em", PW_REACH_DMA, 0, false, true, "the device's DMA"},
	{"net_vmxnet3", PW_REACH_DMA, 0, false, true, "the device's DMA"},
};

static const struct pw_driver_traits traits_memif_zc = {
	"net_memif", PW_REACH_EAL, 0, false, true, "memif in zero-copy mode"};
static const struct pw_driver_traits traits_unknown_vdev = {
	"", PW_REACH_EAL, 0, false, false, "a driver that pagewire does not know"};
static const struct pw_driver_traits traits_pci = {
	"", PW_REACH_DMA, 0, false, false, "the device's DMA"};

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

/* vhost:PATH,iommu=1: the peer's virtio device is behind an IOMMU of its guest. */
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
	if (spec->target[0] == '\0')
		return pw_err_set(err, EINVAL, "read --port '%s': behind '%s' belongs %s",
			spec->text, form->prefix, form->target);
	if (strchr(spec->target, ','))
		return pw_err_set(err, EINVAL,
			"read --port '%s': a comma would end the devargs; use another name%s",
			spec->text,
			spec->kind == PW_PORT_VHOST ? " (vhost:PATH,iommu=1 for a guest with an "
						      "IOMMU)"
						    : "");
	if (pw_portspec_is_socket(spec) &&
		strlen(spec->target) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return pw_err_set(err, ENAMETOOLONG,
			"read --port '%.80s...': a socket's path has at most 107 bytes; use a "
			"shorter one",
			spec->text);
	return 0;
}

int pw_portspec_parse(const char *s, struct pw_portspec *spec, struct pw_err *err)
{
	size_t i;

	memset(spec, 0, sizeof(*spec));
	if (strlen(s) >= sizeof(spec->text))
		return pw_err_set(
			err, EINVAL, "read --port: longer than %zu bytes", sizeof(spec->text) - 1);
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
	strcpy(spec->target, s);
	if (!strcmp(s, "null")) {
		spec->kind = PW_PORT_NULL;
		spec->target[0] = '\0';
	} else if (is_pci_address(s)) {
		spec->kind = PW_PORT_PCI;
	} else if (!strncmp(s, "net_", 4) || !strncmp(s, "eth_", 4) ||
		   !strncmp(s, "virtio_user", 11)) {
		spec->kind = PW_PORT_RAW;
	} else {
		return pw_err_set(err, EINVAL,
			"read --port '%s': no port; use a PCI address, vhost:PATH, "
			"virtio-user:PATH, "
			"memif:PATH, af_packet:IF, af_xdp:IF, tap:IF, pcap:FILE, null or devargs "
			"(net_...)",
			s);
	}
	return 0;
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

/* af_packet wants frames that divide blocks, and drops silently what does not fit a frame. */
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
		return pw_err_set(err, ENAMETOOLONG, "read --port '%.80s...': too long for devargs",
			spec->text);
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
	return spec->kind == PW_PORT_AF_PACKET || spec->kind == PW_PORT_AF_XDP;
}
