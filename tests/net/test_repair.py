# SPDX-License-Identifier: BSD-3-Clause
"""What a lossy or interrupted session leaves, and how it is completed; signals on both sides."""
