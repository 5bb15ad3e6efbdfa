# SPDX-License-Identifier: Apache-2.0
"""
Paths: whatever an address is made of, it stays under the root and is nobody else's.
"""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.address import Mailbox
from lmtp.protocol.errors import PermanentError
from lmtp.stores.paths import MAX_COMPONENT, PathTemplate

RENDERED = {
    ("ann", "example.org"): "example.org/ann",
    ("Ann", "Example.ORG"): "example.org/Ann",
    ("ann+lists", "example.org"): "example.org/ann+lists",
    ("a b", "example.org"): "example.org/a b",
    ("jörg", "bücher.example"): "bücher.example/jörg",
    ("ann", "[IPv6:2001:db8::1]"): "[ipv6:2001:db8::1]/ann",
    ("..", ".."): "%2E./%2E.",
    (".", "."): "%2E/%2E",
    (".hidden", "example.org"): "example.org/%2Ehidden",
    ("a.b", "example.org"): "example.org/a.b",
    ("../../etc/passwd", "example.org"): "example.org/%2E.%2F..%2Fetc%2Fpasswd",
    ("/etc", "example.org"): "example.org/%2Fetc",
    ("100%", "example.org"): "example.org/100%25",
    ("a\0\r\n\x7f", "example.org"): "example.org/a%00%0D%0A%7F",
    ("a\u0085\ud800", "example.org"): "example.org/a%C2%85%ED%A0%80",
    ("", "example.org"): "example.org/%empty",
    ("%empty", "example.org"): "example.org/%25empty",
    ("postmaster", ""): "%empty/postmaster",
    ("a@b", "x@y"): "x%40y/a@b",
}
REFUSED = {
    "": "nothing at all",
    "mail": "names nobody",
    "/var/mail/{local_part}": "absolute",
    "{domain}//{local_part}": "empty component",
    "{domain}/{local_part}/": "slash at the end",
    "../{local_part}": "leads out",
    "{domain}/./{local_part}": "dot component",
    "{domain}/{user}": "unknown name",
    "{domain}/{local_part": "open brace",
    "{domain}/}{local_part}": "closing brace",
    "a\0/{local_part}": "NUL",
    "{domain}{local_part}": "two with nothing between",
    "{local_part}-{domain}": "two with text between that both may have",
    "{domain}@{local_part}@{domain}": "three in one component",
}

texts = st.text(st.characters() | st.sampled_from("./%@\0-"), max_size=20)
mailboxes = st.builds(Mailbox, texts, texts)
templates = st.sampled_from(
    ["{domain}/{local_part}", "{local_part}@{domain}", "x/{domain}@-{local_part}/.y", "{domain}/u{local_part}/m"]
).map(PathTemplate)


class TestTemplate:
    """
    What an administrator may write.
    """

    @pytest.mark.parametrize(
        "text", ["{local_part}", "{domain}", "{local_part}@{domain}", "a/{domain}/b/{local_part}/c"]
    )
    def test_may_have_one_or_both_and_any_text(self, text):
        assert text.count("/") + 1 == PathTemplate(text).depth

    @pytest.mark.parametrize("text", REFUSED, ids=REFUSED.values())
    def test_is_refused_when_it_leads_out_or_confuses_mailboxes(self, text):
        with pytest.raises(ValueError, match=r"."):
            PathTemplate(text)

    def test_refusal_says_what_was_expected(self):
        with pytest.raises(ValueError, match=r"needs an '@' between \{local_part\} and \{domain\}"):
            PathTemplate("{domain}{local_part}")


class TestRendering:
    """
    No component can be left, faked or shared.
    """

    @pytest.mark.parametrize("parts", RENDERED, ids=repr)
    def test_makes_each_part_safe(self, parts):
        assert RENDERED[parts] == PathTemplate().render(Mailbox(*parts))

    @given(templates, mailboxes)
    def test_never_leaves_the_root(self, template, mailbox):
        path = template.render(mailbox)

        assert not path.startswith("/")
        assert template.depth == len(path.split("/")) == len(PurePosixPath(path).parts)
        assert not {"", ".", ".."} & set(path.split("/"))
        assert "\0" not in path
        assert path.encode()

    @given(templates, mailboxes, mailboxes)
    def test_two_mailboxes_share_a_path_only_when_they_are_equal(self, template, one, other):
        assert (one == other) == (template.render(one) == template.render(other))

    def test_hyphens_and_at_signs_confuse_nobody(self):
        template = PathTemplate("{local_part}@{domain}")

        assert template.render(Mailbox("a@b", "c")) != template.render(Mailbox("a", "b@c"))

    def test_longest_file_name_fits(self):
        assert "d/" + "a" * MAX_COMPONENT == PathTemplate().render(Mailbox("a" * MAX_COMPONENT, "d"))

    def test_longer_name_fails_for_good(self):
        with pytest.raises(PermanentError) as caught:
            PathTemplate("{domain}/u-{local_part}").render(Mailbox("ü" * 127, "d"))

        assert "5.1.3" == caught.value.status
