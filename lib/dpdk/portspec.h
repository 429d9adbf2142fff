/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PORT, the short form of a port, and the traits of each driver. Makes no DPDK calls.
 *
 *   0000:3b:00.0     a PCI function               vhost:PATH[,iommu=1]  vhost-user, our socket
 *   virtio-user:PATH connects to that socket      memif:PATH        shared memory packet interface
 *   af_packet:IF  af_xdp:IF  tap:IF  pcap:FILE  null               and any raw devargs
 *   udp:IF           a UDP socket of the kernel, to send
 */
#ifndef PW_DPDK_PORTSPEC_H
#define PW_DPDK_PORTSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PW_PORT_MAX        256 /* bytes of a PORT, NUL included */
#define PW_DRIVER_NAME_MAX 64  /* bytes of a driver's or device's name, NUL included, as in DPDK */
#define PW_DEVARGS_MAX     (PW_PORT_MAX + 128)

enum pw_port_kind {
	PW_PORT_PCI,
	PW_PORT_VHOST,
	PW_PORT_VIRTIO_USER,
	PW_PORT_MEMIF,
	PW_PORT_AF_PACKET,
	PW_PORT_AF_XDP,
	PW_PORT_TAP,
	PW_PORT_PCAP,
	PW_PORT_NULL,
	PW_PORT_UDP, /* a UDP socket of the kernel: no DPDK port; send opens it */
	PW_PORT_RAW, /* devargs of a virtual device, as given */
};

struct pw_portspec {
	enum pw_port_kind kind;
	char text[PW_PORT_MAX];   /* as the user wrote it */
	char target[PW_PORT_MAX]; /* PCI address (with its arguments), path, interface, devargs, or
				     "" */
	bool iommu;               /* vhost: the guest may have an IOMMU */
};

/* Which memory a driver's transmitter can take payload from. */
enum pw_reach {
	PW_REACH_ANY, /* the driver or its peer copies with the CPU from our address space */
	PW_REACH_EAL, /* only EAL's own memory: the peer maps that and nothing else */
	PW_REACH_DMA, /* a device reads it: memory must be DMA-mapped for it */
};

struct pw_driver_traits {
	const char *driver; /* as rte_eth_dev_info_get() names it */
	enum pw_reach reach;
	uint8_t copies;    /* CPU copies per byte inside this process by the driver or kernel */
	bool takes_chains; /* takes mbuf chains although it does not advertise MULTI_SEGS */
	/* The driver frees each mbuf by rte_pktmbuf_free() and the like, in the thread that transmits, and
	 * does not look where its buffer is. Other drivers get RTE_MBUF_F_EXTERNAL. */
	bool plain_free;
	/* A frame 4 bytes longer than the MTU and an Ethernet header has to have an 802.1Q tag (Linux,
	 * packet_extra_vlan_len_allowed()); without one it is lost, and the driver counts it as sent. */
	bool needs_tag;
	/* What the driver has taken does not need this process any more: the kernel or a file has it. */
	bool hands_over;
	/* Its handlers stay at EAL's interrupt thread when the port is closed, and lie in EAL's memory: rte_eal_cleanup()
	 * wakes that thread and unmaps the memory. net_memif never unregisters its listening socket. */
	bool leaves_handlers;
	const char *copy_why; /* "vhost copies once in place of the NIC's DMA" */
};

int pw_portspec_parse(const char *s, struct pw_portspec *spec, struct pw_err *err);

/* The name of the driver behind a short form ("net_vhost"); for RAW the devargs' driver name
 * without its instance number; "" for PCI (the device decides). buf of PW_DRIVER_NAME_MAX bytes. */
char *pw_portspec_driver(const struct pw_portspec *spec, char *buf, size_t len);

/* Devargs for rte_dev_probe(): bus-less for PCI. `index` makes names of virtual devices unique.
 * transmit: we send (memif: client; pcap: write), else receive. frame_bytes: longest frame.
 * queue_size: descriptors, 0 = the driver's default. n_queues: each way, 1 or more. */
int pw_portspec_devargs(const struct pw_portspec *spec, unsigned int index, bool transmit,
	uint32_t frame_bytes, uint32_t queue_size, unsigned int n_queues, char *buf, size_t len,
	struct pw_err *err);

/* The size of a slot in af_packet's rings that holds a frame of this size. */
uint32_t pw_portspec_af_packet_frame(uint32_t frame_bytes);
/* The longest frame whose slot has at most slot_bytes, 4096 or more. */
uint32_t pw_portspec_af_packet_max(uint32_t slot_bytes);

/* Never NULL: an unknown virtual driver is taken to reach only EAL memory (the safe guess), an
 * unknown PCI driver to do DMA. devargs (may be NULL) can change the answer (memif zero-copy). */
const struct pw_driver_traits *pw_driver_traits(
	const char *driver, bool is_pci, const char *devargs);

/* true for vhost, virtio-user and memif: target is the path of a unix socket. */
bool pw_portspec_is_socket(const struct pw_portspec *spec);
/* true for af_packet, af_xdp and udp, whose target is an interface that must exist. */
bool pw_portspec_is_interface(const struct pw_portspec *spec);

/* -EPERM with err when the driver of the port needs a capability that the process does not have. action:
 * "open", for the message. */
int pw_portspec_check_caps(const struct pw_portspec *spec, const char *action, struct pw_err *err);

/* What can be checked before EAL starts: -ENODEV and others: its interface; -EPERM: capabilities. */
int pw_portspec_check(const struct pw_portspec *spec, struct pw_err *err);

#endif
