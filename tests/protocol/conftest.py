# SPDX-License-Identifier: Apache-2.0
"""
Sessions that have come as far as the client's greeting.
"""

import pytest

from tests.protocol.session import Session


@pytest.fixture
def session():
    return Session.greeted()


@pytest.fixture
def waiting():
    """
    A session whose recipients are decided and settled by the test.
    """
    return Session.greeted(waits=True)
