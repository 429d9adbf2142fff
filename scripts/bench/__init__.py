# SPDX-License-Identifier: BSD-3-Clause
"""The experiment behind `pagewire bench`: plans cells, runs them by `pagewire cell`, and reports what they cost."""
