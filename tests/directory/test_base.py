# SPDX-License-Identifier: Apache-2.0
"""
What the directories have in common.
"""

import pytest

from lmtp.directory.base import check_default_domain


class TestDefaultDomain:
    @pytest.mark.parametrize("domain", ["", "localhost", "Example.org", "[192.0.2.1]"])
    def test_may_be_a_domain_a_literal_or_nothing(self, domain):
        check_default_domain(domain)

    @pytest.mark.parametrize("domain", ["@", "a b", "example_org", "bücher.example", "[300.0.2.1]"])
    def test_may_be_nothing_else(self, domain):
        with pytest.raises(ValueError, match="default_domain must be a domain, not"):
            check_default_domain(domain)
