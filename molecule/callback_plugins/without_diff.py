# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own output without the diffs, for scenarios that ask for hundreds to compare them."""

from __future__ import annotations

from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
author: The tunnelwright.ipsec authors (@tunnelwright)
name: without_diff
type: stdout
short_description: Output without diffs
description:
  - The output of C(ansible.builtin.default), in which no diff is printed.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""


class CallbackModule(Default):
    CALLBACK_NAME = "without_diff"

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        pass
