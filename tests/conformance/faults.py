# SPDX-License-Identifier: Apache-2.0
"""
Servers with one fault each: the correct server of lmtp.testing with one behaviour changed.

Every class says which case is meant to catch it, and which others can't help noticing.
"""

import re

from lmtp.testing.scripted import Conversation

FAULTS = []
"""The servers with the ids of the cases they fail, the one that is meant first."""


def caught_by(*case_ids):
    def register(kind):
        FAULTS.append((kind, case_ids))
        return kind

    return register


# RFC 2033 §4.1


@caught_by("LMTP-4.1-11", "LMTP-4.1-1b")
class NamelessGreeting(Conversation):
    name = "=^.^="


@caught_by("LMTP-4.1-2", "T03")
class AcceptsHelo(Conversation):
    def verbs(self):
        return super().verbs() | {"HELO": self.lhlo}


@caught_by("LMTP-4.1-2b", "T03")
class AcceptsEhlo(Conversation):
    def verbs(self):
        return super().verbs() | {"EHLO": self.lhlo}


@caught_by("LMTP-4.1-3b", "LMTP-4.1-3c", "LMTP-4.1-4")
class ClosesAtEhlo(Conversation):
    async def dispatch(self, verb, rest):
        if verb == "EHLO":
            self.reply(502, "5.5.1", "Not here")
            self.is_over = True
        else:
            await super().dispatch(verb, rest)


@caught_by("LMTP-4.1-4")
class EhloEndsTheTransaction(Conversation):
    async def dispatch(self, verb, rest):
        if verb == "EHLO":
            self.reset()
        await super().dispatch(verb, rest)


@caught_by("LMTP-4.1-6", "LMTP-4.1-6c", "LMTP-4.1-6d")
class TakesAnyLhlo(Conversation):
    async def lhlo(self, rest):
        if rest.startswith(b"["):
            self.reply(501, "5.5.4", "No literals")
        else:
            await super().lhlo(rest or b"somebody")


@caught_by("LMTP-4.1-8b")
class SecondLhloKeepsTheTransaction(Conversation):
    async def lhlo(self, rest):
        kept = self.sender, self.recipients
        await super().lhlo(rest)
        self.sender, self.recipients = kept


@caught_by("LMTP-4.1-9")
class TakesMailWithoutLhlo(Conversation):
    async def mail(self, rest):
        self.has_greeted = True
        await super().mail(rest)


@caught_by("GR-8")
class ListsWhatIsNotThere(Conversation):
    def offers(self):
        return [*super().offers(), "XFORWARD"]


@caught_by("GR-15")
class ListsNoKeyword(Conversation):
    def offers(self):
        return [*super().offers(), "(and more)"]


@caught_by("ST-7")
class HidesHelp(Conversation):
    def offers(self):
        return [line for line in super().offers() if line != "HELP"]


# RFC 2033 §4.2, §5


@caught_by("LMTP-4.2-2", "LMTP-4.1-9c", "LMTP-4.2-2b", "LMTP-4.2-9", "PL-6", "ST-1d", "ST-3c", "T25")
class GoesAheadWithoutRecipients(Conversation):
    async def data(self, rest):
        if self.recipients:
            await super().data(rest)
        else:
            self.reply(354, "", "Go ahead")


@caught_by("LMTP-4.2-2", "LMTP-4.2-2b", "LMTP-4.2-9", "ST-3c", "T25")
class NoRecipientsIs554(Conversation):
    async def data(self, rest):
        if self.recipients or self.sender is None:
            await super().data(rest)
        else:
            self.reply(554, "5.5.1", "No valid recipients")


@caught_by(
    "LMTP-4.2-3b",
    "LMTP-4.2-3c",
    "LMTP-4.2-3d",
    "LMTP-4.2-5",
    "LMTP-4.2-5b",
    "LMTP-4.2-8",
    "LMTP-4.2-8b",
    "LMTP-4.3-1",
    "LMTP-4.3-1b",
    "LMTP-4.3-1c",
    "LMTP-4.3-1d",
    "LMTP-4.3-1f",
    "PL-12",
    "T06",
    "T60",
    "T60b",
    "TX-16c",
    "TX-5",
)
class OneReplyForAll(Conversation):
    def deliver(self, content):
        self.recipients = self.recipients[:1]
        super().deliver(content)


@caught_by("LMTP-4.2-3c", "LMTP-4.2-3d", "LMTP-4.3-1f")
class RepliesBackwards(Conversation):
    def deliver(self, content):
        self.recipients.reverse()
        super().deliver(content)


@caught_by("LMTP-4.2-4", "LMTP-4.3-1e")
class RepliesToTheRefusedToo(Conversation):
    def take(self, path):
        before = len(self.recipients)
        super().take(path)
        if len(self.recipients) == before and self.recipients:
            self.recipients.append(self.recipients[0])


@caught_by("LMTP-4.2-5", "LMTP-4.2-5b", "LMTP-4.3-1d")
class DuplicateIsAnsweredOnce(Conversation):
    def deliver(self, content):
        self.recipients = list({str(mailbox): mailbox for mailbox in self.recipients}.values())
        super().deliver(content)


@caught_by("T06", "LMTP-4.2-5", "LMTP-4.2-5b", "LMTP-4.3-1d")
class SpellingsAreMerged(Conversation):
    def deliver(self, content):
        self.recipients = list({str(mailbox).lower(): mailbox for mailbox in self.recipients}.values())
        super().deliver(content)


@caught_by("LMTP-4.2-8b")
class TooBigIsAnsweredOnce(Conversation):
    def deliver(self, content):
        if len(content) > self.size_limit:
            self.recipients = self.recipients[:1]
        super().deliver(content)


@caught_by("LMTP-4.2-9", "CH-8")
class TransactionOutlivesItsReplies(Conversation):
    def deliver(self, content):
        kept = self.sender, self.recipients
        super().deliver(content)
        self.sender, self.recipients = kept


@caught_by("LMTP-4.2-9b")
class RecipientsOutliveTheirTransaction(Conversation):
    kept = ()

    def deliver(self, content):
        self.recipients[:0] = self.kept
        kept = self.recipients
        super().deliver(content)
        self.kept = kept


@caught_by("LMTP-4.2-7b")
class StoresOneCopy(Conversation):
    def store(self, mailbox, content):
        if not mailbox.local_part.startswith("bob"):
            super().store(mailbox, content)


@caught_by("DUP-6")
class DeliversHalfAMessage(Conversation):
    async def read_content(self):
        content = await super().read_content()
        if self.is_over:
            self.store(self.recipients[0], bytes(self.buffer))
        return content


@caught_by("LMTP-5-2")
class NoPipelining(Conversation):
    def offers(self):
        return [line for line in super().offers() if line != "PIPELINING"]


@caught_by("LMTP-5-3")
class NoEnhancedStatusCodes(Conversation):
    def offers(self):
        return [line for line in super().offers() if line != "ENHANCEDSTATUSCODES"]


# RFC 2033 §4.3, RFC 3030


@caught_by("LMTP-4.3-1", "LMTP-4.3-1b", "LMTP-4.3-1c", "LMTP-4.3-1d", "LMTP-4.3-1f")
class LastChunkGetsOneReply(Conversation):
    def end_chunk(self, size, *, is_last):
        if is_last:
            self.recipients = self.recipients[:1]
        super().end_chunk(size, is_last=is_last)


@caught_by("LMTP-4.3-2", "LMTP-4.3-1b")
class EveryChunkGetsAllReplies(Conversation):
    def end_chunk(self, size, *, is_last):
        if not is_last:
            for _ in self.recipients[1:]:
                self.reply(250, "2.0.0", "Also for you")
        super().end_chunk(size, is_last=is_last)


@caught_by("LMTP-4.3-3", "LMTP-4.3-3b", "LMTP-4.3-3c")
class LastChunkForNobodyIsAnswered(Conversation):
    def chunk_for_nobody(self, *, is_last):
        super().chunk_for_nobody(is_last=is_last)
        if is_last:
            self.out_of_order()


@caught_by("CH-4", "CH-4c", "CH-4e", "CH-6", "CH-8")
class RefusedChunkIsNotConsumed(Conversation):
    async def bdat(self, rest):
        if self.sender is None:
            self.out_of_order()
        else:
            await super().bdat(rest)


@caught_by("CH-4b", "CH-4d", "LMTP-4.3-3", "LMTP-4.3-3b", "LMTP-4.3-3c", "LMTP-4.3-5")
class ChunkForNobodyIsNotConsumed(Conversation):
    async def bdat(self, rest):
        if self.sender is not None and not self.recipients:
            self.out_of_order()
        else:
            await super().bdat(rest)


@caught_by("CH-8b")
class DataAfterBdat(Conversation):
    async def data(self, rest):
        self.chunks = None
        await super().data(rest)


@caught_by("CH-9")
class RsetKeepsTheChunks(Conversation):
    async def rset(self, rest):
        kept = self.chunks
        await super().rset(rest)
        self.chunks = kept


@caught_by("DUP-6b")
class DeliversHalfAChunk(Conversation):
    async def read_octets(self, count):
        octets = await super().read_octets(count)
        if self.is_over:
            self.store(self.recipients[0], bytes(self.buffer))
        return octets


@caught_by("CH-1b")
class ChunksAreUnstuffed(Conversation):
    def end_chunk(self, size, *, is_last):
        self.chunks = bytearray(self.unstuff(bytes(self.chunks)))
        super().end_chunk(size, is_last=is_last)


# RFC 5321: lines, commands, addresses


@caught_by("GR-1", "TX-9", "T34")
class BareLfEndsACommand(Conversation):
    async def read_line(self):
        return (await self.read_until(b"\n")).removesuffix(b"\r")


@caught_by("GR-2", "CH-1c", "GR-2b")
class VerbsInCapitals(Conversation):
    async def obey(self, line):
        if line[:4].isupper() or line[:4].isspace():
            await super().obey(line)
        else:
            self.reply(500, "5.5.1", "Louder")


@caught_by("GR-2b")
class FromInCapitals(Conversation):
    async def mail(self, rest):
        if rest.startswith(b"from:"):
            self.reply(501, "5.5.4", "Louder")
        else:
            await super().mail(rest)


@caught_by("GR-7", "GR-13", "LMTP-4.1-3", "LMTP-4.1-3b")
class UnknownVerbIs502(Conversation):
    async def dispatch(self, verb, rest):
        if verb not in self.verbs():
            self.reply(502, "5.5.1", "No")
        else:
            await super().dispatch(verb, rest)


@caught_by("GR-10")
class TakesAnyParameterOfMail(Conversation):
    def parameters(self, text, known):
        return super().parameters(text.replace(b"WIBBLE=1", b"") if "SIZE" in known else text, known)


@caught_by("GR-10c")
class TakesAnyParameterOfRcpt(Conversation):
    def parameters(self, text, known):
        return super().parameters(text.replace(b"WIBBLE=1", b"") if "ORCPT" in known else text, known)


@caught_by("GR-12")
class TakesLatin1(Conversation):
    async def mail(self, rest):
        await super().mail(rest.replace(b"\xe9", b"e"))


@caught_by("AD-1")
class RefusesBounces(Conversation):
    def is_path(self, path, has_utf8):
        if path == b"<>":
            self.reply(550, "5.7.1", "No bounces")
            return False
        return super().is_path(path, has_utf8)


@caught_by("AD-4", "AD-4b")
class QuotesMakeADifference(Conversation):
    def take(self, path):
        if path.startswith(b'<"ann"'):
            self.reply(550, "5.1.1", "Nobody here")
        else:
            super().take(path)


@caught_by("AD-4b")
class BackslashesMakeADifference(Conversation):
    def take(self, path):
        if b"\\" in path:
            self.reply(550, "5.1.1", "Nobody here")
        else:
            super().take(path)


@caught_by("AD-5", "AD-5g")
class EmptyQuotedStringIsFatal(Conversation):
    def take(self, path):
        if b'""' in path:
            raise ConnectionAbortedError
        super().take(path)


@caught_by("AD-5d")
class BracketEndsThePath(Conversation):
    async def rcpt(self, rest):
        await super().rcpt(rest[: rest.index(b">") + 1] if b'a>b"' in rest else rest)


@caught_by("AD-9")
class TakesAnEmptyForwardPath(Conversation):
    def take(self, path):
        super().take(b"<postmaster>" if path == b"<>" else path)


# RFC 5321: replies


@caught_by("RP-4")
class CodesOfALineDiffer(Conversation):
    def reply_line(self, code, mark, text):
        return super().reply_line(code + 1 if mark == "-" and code == 214 else code, mark, text)


@caught_by("RP-5")
class RepliesInUtf8(Conversation):
    async def quit(self, rest):
        self.reply(221, "2.0.0", "Tschüß")
        self.is_over = True


@caught_by("RP-5b")
class EchoesWhatItGot(Conversation):
    async def obey(self, line):
        if line.startswith(b"WIB\xc3"):
            self.writer.write(b"500 5.5.1 " + line + b" is unknown\r\n")
        else:
            await super().obey(line)


@caught_by("RP-6")
class LongReplyLine(Conversation):
    async def help(self, rest):
        self.reply(214, "2.0.0", "LHLO MAIL " + "help " * 100)


@caught_by("GR-1d")
class BareLfInReplies(Conversation):
    async def help(self, rest):
        self.writer.write(b"214 2.0.0 LHLO MAIL\n")


@caught_by("RP-1", "ST-4")
class NoopIsAnsweredTwice(Conversation):
    async def noop(self, rest):
        await super().noop(rest)
        if self.sender is not None:
            await super().noop(rest)


# RFC 5321: states


@caught_by("ST-1", "PL-12")
class SecondMailIsTaken(Conversation):
    async def mail(self, rest):
        self.sender = None
        await super().mail(rest)


@caught_by("ST-3b", "PL-6", "ST-11b", "T46")
class RsetClearsNothing(Conversation):
    async def rset(self, rest):
        self.reply(250, "2.0.0", "Reset")


@caught_by("ST-4b")
class VrfyEndsTheTransaction(Conversation):
    async def vrfy(self, rest):
        self.reset()
        await super().vrfy(rest)


@caught_by("ST-5")
class VrfyConfirmsEverybody(Conversation):
    async def vrfy(self, rest):
        if rest:
            self.reply(250, "2.1.5", "Certainly")
        else:
            await super().vrfy(rest)


@caught_by("ST-8", "ST-8b", "T60b")
class QuitDoesNotClose(Conversation):
    async def quit(self, rest):
        self.reply(221, "2.0.0", "Goodbye")


@caught_by("SD-5")
class ClosesWithoutAWord(Conversation):
    complaints = 0

    async def dispatch(self, verb, rest):
        self.complaints += verb == "WIBBLE"
        if self.complaints > 10:
            self.is_over = True
        else:
            await super().dispatch(verb, rest)


# RFC 5321: content


@caught_by("TX-4")
class LfDotLfEndsTheContent(Conversation):
    end = re.compile(rb"\r\n\.\r\n|(?<!\r)\n\.\n")

    async def read_content(self):
        self.buffer[:0] = b"\r\n"
        while (found := self.end.search(self.buffer)) is None:
            if not await self.fill():
                self.is_over = True
                return b""
        content = bytes(self.buffer[: found.start()]) + b"\r\n"
        del self.buffer[: found.end()]
        return content[2:]


@caught_by("TX-4b", "TX-10")
class LfDotCrlfEndsTheContent(LfDotLfEndsTheContent):
    end = re.compile(rb"\r?\n\.\r\n")


@caught_by("TX-4c")
class CrlfDotLfEndsTheContent(LfDotLfEndsTheContent):
    end = re.compile(rb"\r\n\.\r?\n")


@caught_by("TX-11b")
class DotCrEndsTheContent(LfDotLfEndsTheContent):
    end = re.compile(rb"\r\n\.\r(?:\n|(?=[^\r\n]))")


@caught_by("TX-11")
class CrDotCrEndsTheContent(LfDotLfEndsTheContent):
    end = re.compile(rb"\r\n\.\r\n|\r\.\r(?!\n)")


@caught_by("TX-11f")
class NulIsOverlooked(LfDotLfEndsTheContent):
    end = re.compile(rb"\r\n\0?\.\r\n")


@caught_by("TX-2", "TX-16b")
class EatsADotTooMany(Conversation):
    def unstuff(self, content):
        return super().unstuff(super().unstuff(content))


@caught_by("TX-2", "TX-16b")
class LeavesTheDots(Conversation):
    def unstuff(self, content):
        return content


@caught_by("TX-5")
class EmptyContentHangs(Conversation):
    async def read_content(self):
        return await self.read_until(b"\r\n.\r\n") + b"\r\n"


@caught_by("TX-13b")
class NulCutsTheContent(Conversation):
    def store(self, mailbox, content):
        super().store(mailbox, content.partition(b"\0")[0])


@caught_by("8B-2b")
class SevenBitsAreEnough(Conversation):
    def store(self, mailbox, content):
        super().store(mailbox, bytes(octet & 0x7F for octet in content))


@caught_by("TX-16b", "TX-16d")
class BreaksLongLines(Conversation):
    def store(self, mailbox, content):
        super().store(mailbox, re.sub(rb"([^\r\n]{900})(?=[^\r\n])", rb"\1\r\n", content))


@caught_by("TR-8", "TR-8b", "TR-9")
class NoReturnPath(Conversation):
    def traced(self, mailbox, content):
        return super().traced(mailbox, content).replace(b"Return-Path:", b"X-Return-Path:")


@caught_by("TR-3")
class NamesOtherRecipients(Conversation):
    def traced(self, mailbox, content):
        everybody = b", ".join(f"<{each}>".encode() for each in self.recipients)
        return super().traced(mailbox, content).replace(f"for <{mailbox}>".encode(), b"for " + everybody)


# Limits


@caught_by("SZ-9", "SZ-9c")
class LongLinesAreCut(Conversation):
    async def obey(self, line):
        for start in range(0, max(len(line), 1), 4096):
            await super().obey(line[start : start + 4096])


@caught_by("SZ-4", "DS-5b")
class ShortLines(Conversation):
    longest_line = 500


@caught_by("SZ-7")
class SmallMessages(Conversation):
    def deliver(self, content):
        self.size_limit = 60_000
        super().deliver(content)


@caught_by("SZ-8")
class FewRecipients(Conversation):
    most_recipients = 50

    def offers(self):
        return [line for line in super().offers() if not line.startswith("LIMITS")]


@caught_by("SZ-10b")
class SurplusRecipientsAre552(Conversation):
    def reply(self, code, status, *lines):
        if code == 452 and status == "4.5.3":
            code, status = 552, "5.5.3"
        super().reply(code, status, *lines)


@caught_by("SI-3")
class IgnoresSize(Conversation):
    def is_small(self, values):
        return True


@caught_by("SI-6")
class SizeEndsTheContent(Conversation):
    def is_small(self, values):
        self.declared = int(values.get("SIZE", 0))
        return super().is_small(values)

    async def read_content(self):
        return await (self.read_octets(10) if self.declared == 10 else super().read_content())


# Extensions


@caught_by("PL-8", "PL-6", "SD-5")
class FailingCommandEmptiesTheBuffer(Conversation):
    def reply(self, code, status, *lines):
        super().reply(code, status, *lines)
        if status == "5.5.1" and code == 500:
            self.buffer.clear()


@caught_by("PL-7")
class RepliesWaitForMoreInput(Conversation):
    async def rset(self, rest):
        while self.buffer and b"\r\n" not in self.buffer and await self.fill():
            pass
        await super().rset(rest)


@caught_by("ES-1")
class NoStatusForHelp(Conversation):
    async def help(self, rest):
        self.reply(214, "", "LHLO MAIL")


@caught_by("ES-2")
class ClassesDiffer(Conversation):
    async def help(self, rest):
        self.reply(214, "5.0.0", "LHLO MAIL")


@caught_by("ES-3")
class StatusOnTheFirstLineAlone(Conversation):
    def reply_line(self, code, mark, text):
        return super().reply_line(code, mark, text.removeprefix("2.0.0 ") if code == 214 and mark == " " else text)


@caught_by("ES-4")
class LeadingZeros(Conversation):
    async def help(self, rest):
        self.reply(214, "2.00.0", "LHLO MAIL")


@caught_by("ES-5")
class NoStatusBehindTheContent(Conversation):
    def reply(self, code, status, *lines):
        super().reply(code, "" if lines == ("Stored",) else status, *lines)


@caught_by("U8-8")
class Utf8InReplies(Conversation):
    async def mail(self, rest):
        await super().mail(rest)
        self.is_utf8 = b"SMTPUTF8" in rest

    def take(self, path):
        if self.is_utf8 and not path.isascii():
            self.reply(550, "5.1.1", path.decode() + " is nobody")
        else:
            super().take(path)


@caught_by("DS-3d", "DS-2")
class AnyXtext(Conversation):
    def parameters(self, text, known):
        return super().parameters(text.replace(b"a+GG", b"aGG").replace(b"a+2b", b"a"), known)


@caught_by("LI-2")
class LimitOfNothing(Conversation):
    def offers(self):
        return [line.replace("RCPTMAX=200", "RCPTMAX=0200") for line in super().offers()]


@caught_by("TL-2")
class OffersStarttlsAgain(Conversation):
    def offers(self):
        return [*super().offers(), "STARTTLS"] if self.has_tls else super().offers()


@caught_by("TL-3", "TL-11")
class StateSurvivesStarttls(Conversation):
    async def starttls(self, rest):
        kept = self.sender
        self.sender = None
        await super().starttls(rest)
        self.sender = kept

    def forget_clear_text(self):
        self.buffer.clear()


@caught_by("TL-5")
class BufferSurvivesStarttls(Conversation):
    def forget_clear_text(self):
        kept = bytes(self.buffer)
        super().forget_clear_text()
        self.buffer += kept


@caught_by("AU-2b")
class AuthInATransaction(Conversation):
    async def auth(self, rest):
        kept, self.sender = self.sender, None
        await super().auth(rest)
        self.sender = kept


@caught_by("AU-6b", "AU-6")
class GuessesAtBase64(Conversation):
    def log_in(self, response):
        super().log_in(b"AGEAYg==" if response.startswith(b"not=") else response)


@caught_by("AU-5")
class CancelIsNotUnderstood(Conversation):
    def log_in(self, response):
        if response == b"*":
            self.reply(535, "5.7.8", "Wrong")
        else:
            super().log_in(response)


@caught_by("AU-13")
class RefusesTheAuthParameter(Conversation):
    def parameters(self, text, known):
        return super().parameters(text.replace(b"AUTH=<>", b"AUTHOR=<>"), known)
