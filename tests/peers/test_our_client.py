# SPDX-License-Identifier: Apache-2.0
"""
Our client's results are what servers say in their own logs became of each recipient, and what lies in their mailboxes.

One recipient, a few, a hundred and a thousand, some of them refused at RCPT, some behind the content, some asked for
twice; one command at a time, pipelined, and in chunks where they are offered.
"""

import asyncio
import contextlib
import itertools
import re
import shutil
import ssl
from collections import Counter
from pathlib import Path

import pytest
import trustme

import lmtp
from tests.peers.agent import Agent
from tests.peers.cyrus import Cyrus
from tests.peers.dovecot import USER, Dovecot
from tests.peers.fates import IncompleteLogError, from_cyrus, from_dovecot, from_nodemailer, from_ours
from tests.peers.libraries import Nodemailer
from tests.peers.maildir import Mailbox
from tests.peers.process import give, make_place, run, until
from tests.peers.programs import path_of
from tests.peers.smtp_sink import SmtpSink

pytestmark = pytest.mark.slow

DOMAIN = "example.org"
WAYS = {
    "one by one": frozenset(),
    "pipelined": frozenset({"PIPELINING"}),
    "in chunks": frozenset({"PIPELINING", "CHUNKING"}),
}
TEXT = b"Hello.\r\n.one\r\n..two\r\nGr\xc3\xbc\xc3\x9fe \xff\r\n"
NUMBERS = itertools.count(1)


class Subject:
    """
    A server with users, some of whom are over quota: user0, user1 and so on, full0, full1 and so on.
    """

    users = 20
    """How many of each; who is asked for after the last is the first again."""

    def __init__(self, folder):
        self.folder = folder
        self.known = [f"user{number}@{DOMAIN}" for number in range(self.users)]
        self.over_quota = [f"full{number}@{DOMAIN}" for number in range(self.users)]
        self.peer = self.make()

    def fates(self, sender, recipients):
        """
        Return what became of each recipient as its log says it, once it does.
        """
        return self.all_fates({sender: recipients})[sender]

    def all_fates(self, sent):
        """
        Return the same for many messages: by the sender of each.
        """

        def look():
            log = self.log()
            with contextlib.suppress(IncompleteLogError):
                return {sender: self.read(log, sender, recipients) for sender, recipients in sent.items()}

        return until(look, f"the log to tell of {', '.join(sent)}")

    def stored(self, address):
        """
        Return the messages of a recipient.
        """
        local_part, _, domain = address.partition("@")
        return Mailbox(self.maildir / domain / local_part).messages()

    def log(self):
        return self.peer.log()

    def copies(self, delivered):
        """
        Return how many copies each has of a message that was delivered to these.
        """
        return Counter(delivered)


class DovecotSubject(Subject):
    read = staticmethod(from_dovecot)

    def make(self):
        self.maildir = self.folder / "mail"
        self.maildir.mkdir()
        give(self.maildir, USER)
        peer = Dovecot(self.folder, self.maildir, [*self.known, *self.over_quota], over_quota=self.over_quota)
        self.endpoints = {"unix": peer.lmtp_socket, "tcp": peer.lmtp_port}
        return peer

    def copies(self, delivered):
        return Counter(set(delivered))


class CyrusSubject(Subject):
    read = staticmethod(from_cyrus)

    def make(self):
        peer = Cyrus(self.folder, [*self.known, *self.over_quota], over_quota=self.over_quota)
        self.endpoints = {"unix": peer.socket, "tcp": peer.port}
        return peer

    def stored(self, address):
        return self.peer.messages(address)


class NodemailerSubject(Subject):
    users = 1000
    read = staticmethod(from_nodemailer)

    def make(self):
        peer = Nodemailer(self.folder, [*self.known, *self.over_quota], over_quota=self.over_quota)
        self.endpoints = {"unix": peer.socket, "tcp": peer.port}
        self.maildir = peer.maildir
        return peer


class OurSubject(Subject):
    read = staticmethod(from_ours)

    def make(self):
        peer = Agent(self.folder, [*self.known, *self.over_quota])
        self.endpoints = {"unix": peer.socket, "tcp": peer.port}
        self.maildir = peer.maildir
        for address in self.over_quota:
            # A file where the Maildir would be: it can't be delivered to.
            obstacle = peer.mailbox(address).path
            obstacle.parent.mkdir(exist_ok=True)
            obstacle.touch()
        return peer

    def log(self):
        return self.peer.log_file.read_text()


@pytest.fixture(scope="class")
def subject(request):
    place = make_place()
    try:
        subject = request.cls.Subject(place)
        with subject.peer:
            yield subject
    finally:
        shutil.rmtree(place)


@pytest.fixture
def sender():
    return f"m{next(NUMBERS)}@example.net"


def message(sender, text=TEXT):
    """
    Return a message that has the sender's mailbox for its Message-ID.
    """
    header = f"From: {sender}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{sender}>\r\n\r\n"
    return header.encode() + text


def at(endpoint):
    return f"unix:{endpoint}" if isinstance(endpoint, Path) else f"127.0.0.1:{endpoint}"


def mixture(subject, count):
    """
    Return recipients of all kinds: three of five are delivered to, one is refused at RCPT, one behind the content.
    """
    names = itertools.islice(itertools.cycle(["user", "nobody", "full", "user", "user"]), count)
    return [f"{name}{number % subject.users}@{DOMAIN}" for number, name in enumerate(names)]


def envelope(sender, recipients):
    return lmtp.OutgoingEnvelope.parse(sender, *recipients)


def outcomes(results):
    return [type(result.outcome).__name__.lower() for result in results]


def has(stored, sender):
    return f"Message-ID: <{sender}>".encode() in stored


class AnyServer:
    """
    What holds of each of them.
    """

    @staticmethod
    def content(sender):
        return message(sender)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("count", "kind"), [(1, "unix"), (3, "unix"), (100, "unix"), (1000, "unix"), (3, "tcp"), (100, "tcp")]
    )
    async def test_says_the_same_in_its_log(self, subject, sender, count, kind, way):
        recipients = mixture(subject, count)
        settings = lmtp.ClientSettings(uses=WAYS[way])
        async with lmtp.connect(at(subject.endpoints[kind]), settings) as client:
            results = await client.send(envelope(sender, recipients), self.content(sender))

            assert client.is_usable, client.why_lost
        assert recipients == [str(result.forward_path).strip("<>") for result in results]
        assert subject.fates(sender, recipients) == outcomes(results)
        assert ["delivered", "failed"][: min(count, 2)] == outcomes(results)[:2]
        delivered = [address for address, result in zip(recipients, results, strict=True) if result.is_delivered]
        for address in [*subject.known[:5], subject.over_quota[2]]:
            copies = sum(has(stored, sender) for stored in subject.stored(address))
            assert subject.copies(delivered)[address] == copies, address

    async def test_stores_what_was_sent_octet_for_octet(self, subject, sender):
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            (result,) = await client.send(envelope(sender, subject.known[:1]), message(sender))

        assert result.is_delivered
        (stored,) = [each for each in subject.stored(subject.known[0]) if has(each, sender)]
        assert stored.replace(b"\r\n", b"\n").endswith(message(sender).replace(b"\r\n", b"\n"))

    @pytest.mark.parametrize("way", WAYS)
    async def test_takes_ten_megabytes_for_some(self, subject, sender, way):
        recipients = mixture(subject, 3)
        content = message(sender, b".23456789012345678901234567890\r\n" * 330_000)
        settings = lmtp.ClientSettings(uses=WAYS[way])
        async with lmtp.connect(at(subject.endpoints["tcp"]), settings) as client:
            results = await client.send(envelope(sender, recipients), content)

        assert subject.fates(sender, recipients) == outcomes(results)
        (stored,) = [each for each in subject.stored(recipients[0]) if has(each, sender)]
        assert stored.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n"))

    async def test_is_out_of_step_with_nobody(self, subject):
        """
        Many messages by one session, each with other recipients, sent by many tasks.
        """
        sent = {f"m{next(NUMBERS)}@example.net": mixture(subject, number % 7 + 1)[::-1] for number in range(30)}
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            sending = [client.send(envelope(sender, whom), self.content(sender)) for sender, whom in sent.items()]
            results = await asyncio.gather(*sending)

        assert subject.all_fates(sent) == dict(zip(sent, map(outcomes, results), strict=True))

    async def test_gets_each_message_of_a_pool_once(self, subject):
        senders = [f"m{next(NUMBERS)}@example.net" for _ in range(100)]
        whom = [subject.known[0], f"nobody@{DOMAIN}", subject.over_quota[0], subject.known[1]]
        async with lmtp.Pool([at(subject.endpoints["unix"])], keeping=lmtp.PoolSettings(connections=4)) as pool:
            every = await asyncio.gather(
                *(pool.send(envelope(sender, whom), self.content(sender)) for sender in senders)
            )

        assert {("delivered", "failed", "delivered")} == {
            tuple(outcomes([first, unknown, last])) for first, unknown, _, last in every
        }
        assert not any(results[2].is_delivered for results in every)
        for user in subject.known[:2]:
            found = Counter(
                re.search(rb"^Message-ID: <(.*)>", each, re.MULTILINE)[1].decode() for each in subject.stored(user)
            )
            assert {1} == {found[sender] for sender in senders}


@pytest.mark.peer("dovecot")
class TestDovecot(AnyServer):
    Subject = DovecotSubject

    async def test_names_the_recipient_in_each_reply(self, subject, sender):
        """
        So that what it says of whom can be told without counting.
        """
        recipients = mixture(subject, 1000)
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            results = await client.send(envelope(sender, recipients), message(sender))

        assert [] == [result for result in results if f"<{result.forward_path.mailbox}>" not in result.reply.text]

    async def test_can_have_no_addresses_that_are_not_ascii(self, subject, sender):
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            results = await client.send(envelope(sender, [f"jürgen@{DOMAIN}", subject.known[0]]), message(sender))

        assert [("failed", "5.6.7"), ("delivered", "2.0.0")] == [
            (outcome, result.outcome.status) for outcome, result in zip(outcomes(results), results, strict=True)
        ]

    async def test_gets_each_of_five_hundred_messages_of_a_pool_once(self, subject):
        senders = [f"m{next(NUMBERS)}@example.net" for _ in range(500)]
        user = subject.known[2]

        async def send_all():
            while senders_left:
                sender = senders_left.pop()
                (result,) = await pool.send(envelope(sender, [user]), message(sender))
                assert result.is_delivered, result

        senders_left = list(senders)
        async with lmtp.Pool([at(endpoint) for endpoint in subject.endpoints.values()]) as pool:
            await asyncio.gather(*(send_all() for _ in range(12)))

            assert 500 == pool.statistics.delivered
        found = Counter(
            re.search(rb"^Message-ID: <(.*)>", each, re.MULTILINE)[1].decode() for each in subject.stored(user)
        )
        assert {1} == {found[sender] for sender in senders}


@pytest.mark.peer("cyrus")
class TestCyrus(AnyServer):
    Subject = CyrusSubject

    @staticmethod
    def content(sender):
        # Of unknown size: who is over quota is refused at RCPT by one that knows it.
        return iter([message(sender)])

    async def test_refuses_whom_it_would_defer_when_it_knows_the_size(self, subject, sender):
        recipients = mixture(subject, 100)
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            results = await client.send(envelope(sender, recipients), message(sender))

        assert subject.fates(sender, recipients) == outcomes(results)
        assert {"RCPT"} == {result.point.name for result in results if result.is_deferred}

    async def test_answers_in_several_lines(self, subject, sender):
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            (result,) = await client.send(envelope(sender, [f"nobody@{DOMAIN}"]), message(sender))

        assert 3 == len(result.reply.text.split("\n"))
        assert "5.1.1" == result.outcome.status


@pytest.mark.peer("nodemailer")
class TestNodemailer(AnyServer):
    Subject = NodemailerSubject

    async def test_gets_mail_for_addresses_that_are_not_ascii(self, place, sender):
        user = f"jürgen@{DOMAIN}"
        with Nodemailer(place, [user]) as peer:
            async with lmtp.connect(at(peer.socket)) as client:
                (result,) = await client.send(envelope(sender, [user]), message(sender))

            assert result.is_delivered
            assert 1 == len(peer.mailbox(user).messages())

    async def test_answers_once_for_one_who_is_asked_for_twice(self, subject, sender):
        """
        It owes a reply for each RCPT it has accepted; there is nothing to tell whose is missing, and we wait in vain.
        """
        recipients = [subject.known[0], subject.known[1], subject.known[1]]
        settings = lmtp.ClientSettings(deadlines=lmtp.ClientDeadlines(content_seconds=1))
        async with lmtp.connect(at(subject.endpoints["unix"]), settings) as client:
            results = await client.send(envelope(sender, recipients), message(sender))

            assert not client.is_usable
        assert ["delivered", "delivered", "deferred"] == outcomes(results) == subject.fates(sender, recipients)
        assert "2 of 3 replies came" in results[2].outcome.detail

    async def test_has_us_prove_who_we_are_under_tls(self, place, sender):
        authority = trustme.CA()
        pem = place / "server.pem"
        pem.write_bytes(authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
        context = ssl.create_default_context()
        authority.configure_trust(context)
        user = f"user0@{DOMAIN}"
        settings = lmtp.ClientSettings(tls=lmtp.ClientTls(context=context), credentials=lmtp.Password("mx", "secret"))
        with Nodemailer(place, [user], certificate_file=pem, passwords={"mx": "secret"}) as peer:
            async with lmtp.connect(at(peer.port), settings) as client:
                (result,) = await client.send(envelope(sender, [user]), message(sender))
            with pytest.raises(lmtp.SessionError, match="the answer to AUTH was 535"):
                await lmtp.connect(
                    at(peer.port), lmtp.ClientSettings(tls=settings.tls, credentials=lmtp.Password("mx", "wrong"))
                )

            assert result.is_delivered
            assert re.search(r"mx authenticated using PLAIN", peer.log())
            assert re.search(r"Connection upgraded to TLS", peer.log())


class TestOurs(AnyServer):
    Subject = OurSubject

    async def test_gets_the_rest_in_the_next_transaction(self, subject, sender):
        """
        It takes a thousand in one, and says so.
        """
        recipients = mixture(subject, 2345)
        async with lmtp.connect(at(subject.endpoints["unix"])) as client:
            results = await client.send(envelope(sender, recipients), message(sender))

            assert 3 == client.transactions
        assert subject.fates(sender, recipients) == outcomes(results)

    async def test_gets_mail_for_addresses_that_are_not_ascii(self, start_agent, sender):
        user = f"jürgen@{DOMAIN}"
        agent = start_agent(user)
        async with lmtp.connect(at(agent.socket)) as client:
            results = await client.send(envelope(sender, [user, f"jürgen2@{DOMAIN}"]), message(sender))

        assert ["delivered", "failed"] == outcomes(results)
        assert 1 == len(agent.mailbox(user).messages())


@pytest.mark.peer("smtp-sink")
class TestSmtpSink:
    """
    It does to all recipients what it was told to do; what it had of whom is in its dump.
    """

    @pytest.fixture
    def start(self, place):
        with contextlib.ExitStack() as stack:
            yield lambda *options: stack.enter_context(SmtpSink(place, *options))

    async def send(self, peer, sender, count, way="pipelined"):
        recipients = [f"user{number % 300}@{DOMAIN}" for number in range(count)]
        async with lmtp.connect(at(peer.port), lmtp.ClientSettings(uses=WAYS[way])) as client:
            return recipients, await client.send(envelope(sender, recipients), message(sender))

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("count", [1, 3, 100, 1000])
    async def test_had_the_message_for_each_recipient(self, start, sender, count, way):
        peer = start()
        recipients, results = await self.send(peer, sender, count, way)

        assert {"delivered"} == set(outcomes(results))
        (dump,) = peer.dumps()
        assert recipients == re.findall("^X-Rcpt-Args: <(.*)>$", dump.decode("latin-1"), re.MULTILINE)
        assert dump.endswith(message(sender).replace(b"\r\n", b"\n"))

    @pytest.mark.parametrize("count", [1, 3, 100, 1000])
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["-f", "MAIL"], ("failed", "5.3.0", "MAIL")),
            (["-f", "RCPT"], ("failed", "5.3.0", "RCPT")),
            (["-r", "DATA"], ("deferred", "4.3.0", "DATA")),
            (["-r", "."], ("deferred", "4.3.0", "CONTENT")),
            (["-f", ".", "-B", "552-5.2.2 Full,\r\n552 5.2.2 and more than full"], ("failed", "5.2.2", "CONTENT")),
        ],
        ids=" ".join,
    )
    async def test_refuses_what_it_is_told_to(self, start, sender, count, options, expected):
        _, results = await self.send(start(*options), sender, count)

        assert [expected] * count == [
            (outcome, result.outcome.status, result.point.name)
            for outcome, result in zip(outcomes(results), results, strict=True)
        ]

    @pytest.mark.parametrize("option", ["-q", "-Q"])
    @pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
    async def test_leaves_and_everybody_is_deferred(self, start, sender, option, command):
        _, results = await self.send(start(option, command), sender, 100)

        assert {"deferred"} == set(outcomes(results))
        assert (option == "-Q") == (results[0].reply is not None)

    async def test_takes_ten_megabytes(self, start, sender):
        peer = start()
        content = message(sender, b".23456789012345678901234567890\r\n" * 330_000)
        async with lmtp.connect(at(peer.port)) as client:
            (result,) = await client.send(envelope(sender, [f"user@{DOMAIN}"]), content)

        assert result.is_delivered
        assert peer.dumps()[0].endswith(content.replace(b"\r\n", b"\n"))


@pytest.mark.peer("exim4")
class TestExim:
    def test_has_no_lmtp_server(self, place):
        """
        It speaks LMTP as a client alone: to LHLO it says what it says to any word it does not know.
        """
        (place / "exim.conf").write_text(
            f"exim_path = {path_of('exim4')}\nspool_directory = {place}/spool\nlog_file_path = {place}/log/%slog\n"
            "primary_hostname = mx.example\nkeep_environment =\n"
        )
        said = run([path_of("exim4"), "-C", str(place / "exim.conf"), "-bs"], stdin=b"LHLO client.example\r\nQUIT\r\n")

        assert re.search(r"^220 mx\.example ESMTP Exim.*^500 unrecognized command", said, re.MULTILINE | re.DOTALL)
