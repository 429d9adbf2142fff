# SPDX-License-Identifier: BSD-3-Clause
"""Packets of an enemy, sent to a real receiver: nothing outside --out, no crash, all counted."""
