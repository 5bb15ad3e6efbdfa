# SPDX-License-Identifier: Apache-2.0
"""
The authenticator: what is offered over which channel, and whole exchanges of every mechanism.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scramp import ScramClient

from lmtp.auth.authenticator import MECHANISMS, SaslAuthenticator, SaslOptions
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.sasl import Authenticated, Authenticator, Challenge, Channel, Rejected

SSHA = "{SSHA}zXFfiZlxOjhAT8Q9U2NRKqGGScUjs/Ug"
SCRAM = (
    "{SCRAM-SHA-256}4096,g4kS4OAD1laPF1UhYbWYAw==,bAI5FdHNiNYqtaQaSHw5KIh3gbWQtaK7vLoU2GYLajQ=,"
    "qtPvDiezhyjnuymofH48UkdpG7yMG9fyUAXgLGTdgEU="
)
END_POINT = b"the hash of a certificate"
BINDING = ("tls-server-end-point", END_POINT)
IN_CLEAR = Channel()
LOCAL = Channel(is_local=True, external_identity="postfix")
TLS = Channel(is_encrypted=True)
BOUND = Channel(is_encrypted=True, end_point=END_POINT, external_identity="mx.example.org")

channels = st.builds(
    Channel,
    is_encrypted=st.booleans(),
    is_local=st.booleans(),
    external_identity=st.sampled_from(("", "mx.example.org", "stranger")),
    end_point=st.sampled_from((b"", END_POINT)),
)


@pytest.fixture
async def authenticator(house):
    return await authenticator_of(house, f"ann:{{PLAIN}}pw\nbob:{SCRAM}\n", external_identities=("*.example.org",))


async def authenticator_of(house, text, **options):
    return SaslAuthenticator(SaslOptions(**options), await house.loaded(text))


def authenticate(authenticator, client, channel, mechanism):
    """
    Let a real client of SCRAM authenticate; return the last step.
    """
    server = authenticator.begin(mechanism, channel)
    assert Challenge(b"") == server.step(None)
    step = server.step(client.get_client_first().encode())
    if isinstance(step, Challenge):
        client.set_server_first(step.octets.decode())
        step = server.step(client.get_client_final().encode())
    if isinstance(step, Challenge):
        client.set_server_final(step.octets.decode())
        step = server.step(b"")
    return step


class TestMechanisms:
    """
    RFC 4954 §4: no password where somebody can listen.
    """

    def test_keep_the_contract(self):
        authenticator: Authenticator = SaslAuthenticator(SaslOptions())

        assert () == authenticator.mechanisms(BOUND)

    @pytest.mark.guards("AU-11")
    @pytest.mark.parametrize(
        ("channel", "offered"),
        [
            (IN_CLEAR, ("SCRAM-SHA-256",)),
            (LOCAL, ("SCRAM-SHA-256", "PLAIN")),
            (TLS, ("SCRAM-SHA-256", "PLAIN")),
            (BOUND, MECHANISMS),
        ],
    )
    async def test_are_those_the_channel_allows(self, authenticator, channel, offered):
        assert offered == authenticator.mechanisms(channel)

    @pytest.mark.guards("AU-18")
    @pytest.mark.parametrize(
        ("patterns", "identity", "is_offered"),
        [
            ((), "mx.example.org", False),
            (("mx.example.org",), "mx.example.org", True),
            (("*.example.org",), "mx.example.org", True),
            (("*.example.org",), "a.mx.example.org", True),
            (("*.example.org",), "example.org", False),
            (("*.example.org",), "mx.example.org.example.net", False),
            (("postfix", "exim"), "exim", True),
            (("postfix",), "Postfix", False),
            (("*",), "anybody", True),
            (("*",), "", False),
        ],
    )
    def test_hold_external_for_those_on_the_list(self, patterns, identity, is_offered):
        authenticator = SaslAuthenticator(SaslOptions(external_identities=patterns))
        offered = authenticator.mechanisms(Channel(external_identity=identity))

        assert (("EXTERNAL",) if is_offered else ()) == offered

    async def test_leave_out_what_is_switched_off(self, house):
        authenticator = await authenticator_of(house, "ann:{PLAIN}pw\n", mechanisms=("PLAIN", "SCRAM-SHA-256"))

        assert ("SCRAM-SHA-256", "PLAIN") == authenticator.mechanisms(BOUND)

    async def test_leave_out_scram_while_nobody_could_use_it(self, house):
        authenticator = await authenticator_of(house, f"ann:{SSHA}\n")

        assert ("PLAIN",) == authenticator.mechanisms(BOUND)

    async def test_hold_scram_soon_after_somebody_can_use_it(self, house):
        passwords = await house.loaded(f"ann:{SSHA}\n")
        authenticator = SaslAuthenticator(SaslOptions(), passwords)
        house.write("ann:{PLAIN}pw\n")
        assert () == authenticator.mechanisms(IN_CLEAR)
        await passwords._looking

        assert ("SCRAM-SHA-256",) == authenticator.mechanisms(IN_CLEAR)

    def test_that_do_not_exist_can_not_be_switched_on(self):
        with pytest.raises(ValueError, match=r"^unknown mechanism 'LOGIN': there are EXTERNAL, SCRAM-SHA-256-PLUS, "):
            SaslOptions(mechanisms=("PLAIN", "LOGIN"))


class TestExchange:
    async def test_of_plain_authenticates(self, authenticator):
        assert Authenticated("ann") == authenticator.begin("PLAIN", TLS).step(b"\0ann\0pw")

    async def test_of_plain_is_asked_for_when_there_is_no_initial_response(self, authenticator):
        exchange = authenticator.begin("PLAIN", LOCAL)

        assert Challenge(b"") == exchange.step(None)
        assert Authenticated("bob") == exchange.step(b"\0bob\0correct horse")

    async def test_of_external_authenticates(self, authenticator):
        assert Authenticated("mx.example.org") == authenticator.begin("EXTERNAL", BOUND).step(b"")

    @pytest.mark.guards("AU-19")
    @pytest.mark.parametrize(("name", "password"), [("ann", "pw"), ("bob", "correct horse")])
    @pytest.mark.parametrize("channel", [IN_CLEAR, TLS])
    async def test_of_scram_authenticates(self, authenticator, channel, name, password):
        client = ScramClient(["SCRAM-SHA-256"], name, password)

        assert Authenticated(name) == authenticate(authenticator, client, channel, "SCRAM-SHA-256")

    async def test_of_scram_plus_authenticates(self, authenticator):
        client = ScramClient(["SCRAM-SHA-256-PLUS"], "ann", "pw", channel_binding=BINDING)

        assert Authenticated("ann") == authenticate(authenticator, client, BOUND, "SCRAM-SHA-256-PLUS")

    @pytest.mark.parametrize(("name", "password"), [("ann", "wp"), ("bob", "pw"), ("carl", "pw")])
    async def test_of_scram_tells_the_unknown_no_more_than_those_with_another_password(
        self, authenticator, name, password
    ):
        client = ScramClient(["SCRAM-SHA-256"], name, password)
        step = authenticate(authenticator, client, TLS, "SCRAM-SHA-256")

        assert Rejected(detail=f"'{name}': The client keys don't match.: invalid-proof") == step

    async def test_of_a_client_that_was_talked_out_of_plus_is_rejected(self, authenticator):
        client = ScramClient(["SCRAM-SHA-256"], "ann", "pw", channel_binding=BINDING)

        assert isinstance(authenticate(authenticator, client, BOUND, "SCRAM-SHA-256"), Rejected)

    async def test_of_a_client_that_was_rightly_not_offered_plus_goes_on(self, house):
        authenticator = await authenticator_of(house, "ann:{PLAIN}pw\n", mechanisms=("SCRAM-SHA-256",))
        client = ScramClient(["SCRAM-SHA-256"], "ann", "pw", channel_binding=BINDING)

        assert Authenticated("ann") == authenticate(authenticator, client, BOUND, "SCRAM-SHA-256")

    @pytest.mark.guards("AU-10")
    @pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
    async def test_that_can_not_read_the_file_is_rejected_for_now(self, house, authenticator, mechanism):
        house.path.unlink()
        step = authenticator.begin(mechanism, TLS).step(None)

        assert "4.7.0" == step.status
        assert step.detail.endswith("passwords: No such file or directory")

    async def test_reads_the_file_at_its_first_step(self, house, authenticator):
        exchange = authenticator.begin("PLAIN", TLS)
        house.write("ann:{PLAIN}other\n")

        assert isinstance(exchange.step(b"\0ann\0pw"), Rejected)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(channel=channels, mechanism=st.sampled_from((*MECHANISMS, "LOGIN", "")))
    async def test_begins_with_what_is_offered_alone(self, authenticator, channel, mechanism):
        if mechanism in authenticator.mechanisms(channel):
            assert Challenge(b"") == authenticator.begin(mechanism, channel).step(None)
        else:
            with pytest.raises(LocalProtocolError, match=f"^{mechanism} was not offered$"):
                authenticator.begin(mechanism, channel)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(mechanism=st.sampled_from(MECHANISMS[1:]), responses=st.lists(st.binary(max_size=40), max_size=4))
    async def test_of_any_octets_never_raises_and_never_authenticates(self, authenticator, mechanism, responses):
        exchange = authenticator.begin(mechanism, BOUND)

        assert not [step for step in map(exchange.step, responses) if isinstance(step, Authenticated)]
