# SPDX-License-Identifier: Apache-2.0
"""
The octets of a message: header section, trace fields, dates. Pure.
"""

from lmtp.message.content import Content
from lmtp.message.dates import date_time
from lmtp.message.header import HeaderSection
from lmtp.message.trace import (
    MAX_HOPS,
    Edited,
    Received,
    delivered_to,
    edit_for_delivery,
    has_looped,
    lmtp_keyword,
    return_path,
    trace_fields,
)

__all__ = [
    "MAX_HOPS",
    "Content",
    "Edited",
    "HeaderSection",
    "Received",
    "date_time",
    "delivered_to",
    "edit_for_delivery",
    "has_looped",
    "lmtp_keyword",
    "return_path",
    "trace_fields",
]
