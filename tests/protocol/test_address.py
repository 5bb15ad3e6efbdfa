# SPDX-License-Identifier: Apache-2.0
"""
Mailboxes and paths: what RFC 5321 §4.1.2 allows, and what each spelling means.
"""

import pytest

from lmtp.protocol.address import AddressSyntaxError, ForwardPath, Mailbox, ReversePath

ACCEPTED = {
    b"<ann@example.org>": "<ann@example.org>",
    b"<Ann@Example.ORG>": "<Ann@Example.ORG>",
    b'<""@example.org>': '<""@example.org>',
    b'<"a b"@example.org>': '<"a b"@example.org>',
    b'<"a\\"b"@example.org>': '<"a\\"b"@example.org>',
    b'<"a>b"@example.org>': '<"a>b"@example.org>',
    b'<"a@b"@example.org>': '<"a@b"@example.org>',
    b'<"ann"@example.org>': "<ann@example.org>",
    b'<"a\\nn"@example.org>': "<ann@example.org>",
    b"<@relay.example,@b.example:ann@example.org>": "<ann@example.org>",
    b"<ann+lists@example.org>": "<ann+lists@example.org>",
    b"<ann@[192.0.2.1]>": "<ann@[192.0.2.1]>",
    b"<ann@[IPv6:2001:db8::1]>": "<ann@[IPv6:2001:db8::1]>",
    b"<ann@[ipv6:::1]>": "<ann@[ipv6:::1]>",
    b"<ann@[x400:abc]>": "<ann@[x400:abc]>",
}
REFUSED = {
    b"": "nothing at all",
    b"ann@example.org": "no brackets",
    b"<ann@example.org": "no closing bracket",
    b"<.ann@example.org>": "leading dot",
    b"<ann.@example.org>": "trailing dot",
    b"<a..n@example.org>": "double dot",
    b"<a b@example.org>": "space outside quotes",
    b"<ann@>": "no domain after the at sign",
    b"<ann@-example.org>": "hyphen first",
    b"<ann@example-.org>": "hyphen last",
    b"<ann@exa_mple.org>": "underscore in a domain",
    b"<ann@[300.1.1.1]>": "no IPv4 address",
    b"<ann@[IPv6:zz]>": "no IPv6 address",
    b"<ann@[x400:]>": "tag without content",
    b"<ann@" + b"a." * 128 + b"example>": "domain over 255 octets",
    "<jörg@example.org>".encode("latin-1"): "not UTF-8",
    "<ann\u0085@example.org>".encode(): "a control character",
    b"<ann@example.org>x": "something behind it",
}


class TestPath:
    """
    RFC 5321 §4.1.1.2, §4.1.1.3: what may stand between the brackets.
    """

    @pytest.mark.guards("AD-4", "AD-5", "AD-8")
    @pytest.mark.parametrize("octets", ACCEPTED)
    def test_is_read_and_written_in_its_least_quoted_form(self, octets):
        assert ACCEPTED[octets] == str(ForwardPath.parse(octets))

    @pytest.mark.guards("AD-8")
    @pytest.mark.parametrize("octets", REFUSED, ids=REFUSED.values())
    def test_is_refused_when_the_grammar_does_not_allow_it(self, octets):
        with pytest.raises(AddressSyntaxError):
            ForwardPath.parse(octets)

    def test_reverse_path_may_be_null(self):
        assert ReversePath.parse(b"<>").is_null
        assert "<>" == str(ReversePath.parse(b"<>"))

    def test_forward_path_may_not_be_null(self):
        with pytest.raises(AddressSyntaxError):
            ForwardPath.parse(b"<>")

    @pytest.mark.guards("AD-6")
    @pytest.mark.parametrize("octets", [b"<postmaster>", b"<Postmaster>", b"<POSTMASTER>"])
    def test_postmaster_needs_no_domain(self, octets):
        assert ForwardPath.parse(octets).mailbox.is_postmaster

    @pytest.mark.guards("AD-7")
    def test_others_need_a_domain_unless_it_is_optional(self):
        with pytest.raises(AddressSyntaxError):
            ForwardPath.parse(b"<ann>")

        assert Mailbox("ann", "") == ForwardPath.parse(b"<ann>", domain_optional=True).mailbox

    def test_reverse_path_needs_a_domain(self):
        with pytest.raises(AddressSyntaxError):
            ReversePath.parse(b"<ann>")


class TestMailbox:
    """
    RFC 5321 §2.4: the local part keeps its case, the domain compares without.
    """

    @pytest.mark.guards("GR-3")
    def test_domain_compares_without_case(self):
        assert Mailbox("ann", "example.org") == Mailbox("ann", "EXAMPLE.org")
        assert hash(Mailbox("ann", "example.org")) == hash(Mailbox("ann", "EXAMPLE.org"))

    def test_of_half_a_surrogate_pair_can_be_written_all_the_same(self):
        assert "\ud800@example.org" == str(Mailbox("\ud800", "example.org"))

    def test_different_ones_are_quickly_told_apart(self):
        assert 1 < len({hash(Mailbox(f"user{number}", "example.org")) for number in range(100)})

    @pytest.mark.guards("GR-3")
    def test_local_part_compares_with_case(self):
        assert Mailbox("ann", "example.org") != Mailbox("Ann", "example.org")

    @pytest.mark.guards("U8-12")
    def test_local_part_compares_octet_by_octet(self):
        """
        RFC 6531 §3.3: two ways to write the same letter are two mailboxes, since nobody may fold them but their host.
        """
        composed, decomposed = "j\u00f6rg", "jo\u0308rg"

        assert Mailbox(composed, "example.org") != Mailbox(decomposed, "example.org")
