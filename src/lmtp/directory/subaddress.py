# SPDX-License-Identifier: Apache-2.0
"""
``user+detail``: the part of a local part that the account's owner chose freely (RFC 5233 §1).

Pure. Called by the directories, which find ``user`` when nobody is called ``user+detail``. Not here, and
nowhere by default: a folder named after the detail, which any stranger could then create.
"""


def without_detail(local_part: str, delimiters: str) -> str:
    """
    Return the local part up to its first delimiter, or the whole of it when there is none.

    Args:
        local_part: What stands before the ``@``, unquoted.
        delimiters: Each character of it is one; empty: nothing is ever a detail.
    """
    for index, character in enumerate(local_part):
        if character in delimiters:
            # ``+tag@example.org`` is a name, not a detail of nobody.
            return local_part[:index] or local_part
    return local_part
