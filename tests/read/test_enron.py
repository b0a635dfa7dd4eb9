"""E-mail: maildir archives, single messages, mbox; copies, quotes, encodings, broken files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pilebuilder.read.enron import Enron, messages
from tests.read.hostile import (
    assert_cuts_are_detected,
    assert_flips_are_survived,
    assert_wrong_files_are_named,
    read,
    reasons,
    records,
    skipped,
)
from tests.read.test_jats import archive

BODY = "Sally,\r\n\r\n\r\n\r\nPlease let me know your thoughts.\r\n\r\n-- \r\nMike\r\n"
QUOTED = (
    "I agree with you.\n\n-----Original Message-----\nFrom: Bo\nSent: Monday\nTo: Sally\n\nThe old text.\n> older\n"
)


def mail(
    body: str | bytes = BODY,
    subject: str = "DPR Access",
    date: str = "Wed, 17 May 2000 02:35:00 -0700",
    **headers: str,
) -> bytes:
    lines = {"Message-ID": "<1.JavaMail.evans@thyme>", "Date": date, "From": "mike@enron.com", "To": "a@b.c,\n\td@e.f",
             "Subject": subject, "Content-Type": "text/plain; charset=us-ascii", "X-Folder": "\\Sally\\Dpr", "X-Origin": "Beck-S"}  # fmt: skip
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return head.encode() + b"\n" + (body if isinstance(body, bytes) else body.encode())


def test_golden_rendering(tmp_path: Path) -> None:
    [found] = records(read(Enron(), mail(), "maildir/beck-s/dpr/1.", tmp_path))
    assert found.text == "Sally,\n\nPlease let me know your thoughts."
    assert found.date == "2000-05-17"
    assert found.meta | {"body_sha256": ""} == {
        "user": "beck-s", "folder": "dpr", "message_id": "<1.JavaMail.evans@thyme>", "date": "Wed, 17 May 2000 02:35:00 -0700",
        "from": "mike@enron.com", "subject": "DPR Access", "body_sha256": "",
    }  # fmt: skip
    [original] = records(read(Enron(style="pile"), mail(), "maildir/beck-s/dpr/1.", tmp_path))
    assert (original.key, original.text) == ("enron:beck-s/dpr/1.", BODY)


def test_copies_are_one_document(tmp_path: Path) -> None:
    files = {"maildir/a/sent/1.": mail(), "maildir/a/_sent_mail/7.": mail(Message_ID="<2@x>"), "maildir/b/inbox/2.": mail(subject="Other"),
             "maildir/b/x/3.": mail("ok"), "maildir/b/x/4.": mail("   "), "maildir/DELETIONS.txt": b"free text, no header"}  # fmt: skip
    data = archive(files)
    items = read(Enron(), data, "enron.tar.gz", tmp_path)
    assert [item.meta["folder"] for item in records(items)] == ["sent", "inbox"]
    assert skipped(items) == {"duplicate": 1, "too_short": 1, "no_text": 1, "not_a_message": 1}
    original = read(Enron(style="pile"), data, "enron.tar.gz", tmp_path)
    assert [item.key for item in records(original)] == [
        "enron:a/sent/1.", "enron:a/_sent_mail/7.", "enron:b/inbox/2.", "enron:b/x/3.",
    ]  # fmt: skip


def test_quotes_and_reasons_to_skip(tmp_path: Path) -> None:
    [cut] = records(read(Enron(cut_quotes=True, min_characters=5), mail(QUOTED), "1.", tmp_path))
    [whole] = records(read(Enron(), mail(QUOTED), "1.", tmp_path))
    assert cut.text == "I agree with you."
    assert whole.text.endswith("> older")
    assert skipped(read(Enron(), mail(subject="Out of Office AutoReply: x"), "1.", tmp_path)) == {"auto_reply": 1}
    assert skipped(read(Enron(), mail("News of the day.\nTo unsubscribe, write to us."), "1.", tmp_path)) == {
        "newsletter": 1
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (mail(b"The caf\xe9 is open until noon.\n"), "The café is open until noon."),
        (mail("The caf\u00e9 is open until noon.\n".encode()), "The café is open until noon."),
        (mail("A soft =\nbreak and a blank=20\nand one more =\nbreak.\n"), "A soft break and a blank\nand one more break."),
        (mail("caf=C3=A9 until noon, they say=\n.", Content_Transfer_Encoding="quoted-printable"), "café until noon, they say."),
        (mail("<p>Only <b>HTML</b> in this mail.</p>", Content_Type="text/html; charset=utf-8"), "Only HTML in this mail."),
        (mail("--b\nContent-Type: text/plain\n\nFirst part of the mail.\n--b\nContent-Type: text/html\n\n<p>x</p>\n--b\n"
              "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nno\n--b--\n",
              Content_Type="multipart/mixed; boundary=b"), "First part of the mail."),
        (mail("Strange charset, but text.", Content_Type="text/plain; charset=x-nonsense"), "Strange charset, but text."),
    ],
)  # fmt: skip
def test_encodings_and_parts(tmp_path: Path, data: bytes, expected: str) -> None:
    [found] = records(read(Enron(), data, "1.", tmp_path))
    assert found.text == expected


def test_headers(tmp_path: Path) -> None:
    data = mail(subject="=?utf-8?q?caf=C3=A9?= and\n more", date="Fri, 31 Dec 1979 00:00:00 -0800 (PST)").replace(
        b"mike@", b"Ren\xe9 <mike@"
    )
    [found] = records(read(Enron(), data, "1.", tmp_path))
    assert (found.meta["subject"], found.meta["from"], found.meta["user"]) == (
        "café and more",
        "René <mike@enron.com",
        "Beck-S",
    )
    for date in ("Mon, 1 Jan 1650 00:00:00", "nonsense", "Fri, 99 Foo 2001", ""):
        assert records(read(Enron(), mail(date=date), "1.", tmp_path))[0].date is None


MBOX = b"From mike@x Wed May 17 02:35:00 2000\n" + mail("One mail that is long enough.\n\n>From here on, quoted.\nFrom inside.\n") + b"\nFrom b@x Thu\n" + mail(
    "Two mail that is long enough.\n", subject="b") + b"\nFrom c@x Fri\n" + mail("Three mail that is long enough.\n", subject="c")  # fmt: skip


def test_mbox(tmp_path: Path) -> None:
    found = records(read(Enron(), MBOX, "inbox.mbox", tmp_path))
    assert [item.text.split()[0] for item in found] == ["One", "Two", "Three"]
    assert found[0].text.endswith("From here on, quoted.\nFrom inside.")
    assert all(MBOX[item.offset :].startswith(b"From ") for item in found)
    for step in (1, 7, 1 << 20):
        stream = io.BytesIO(MBOX)

        class Small:
            def read(self, n: int, /, stream: io.BytesIO = stream, step: int = step) -> bytes:
                return stream.read(min(n, step))

        assert [offset for offset, _ in messages(Small())] == [item.offset for item in found]


def test_cuts_flips_and_wrong_files(tmp_path: Path) -> None:
    data = archive({f"maildir/a/b/{k}.": mail(subject=str(k)) for k in range(5)})
    assert_cuts_are_detected(Enron(), data, "enron.tar.gz", tmp_path)
    assert_cuts_are_detected(Enron(), MBOX, "a.mbox", tmp_path, by_length=True)
    assert_cuts_are_detected(Enron(), mail(), "maildir/a/b/1.", tmp_path, by_length=True)
    for raw, name in ((data, "enron.tar.gz"), (MBOX, "a.mbox"), (mail(QUOTED), "1.")):
        assert_flips_are_survived(Enron(), raw, name, tmp_path, 100)
    for name in ("enron.tar.gz", "maildir/a/b/1."):
        assert_wrong_files_are_named(Enron(), name, tmp_path)


def test_hostile_mail(tmp_path: Path) -> None:
    deep = "".join(f"--b{k}\nContent-Type: multipart/mixed; boundary=b{k + 1}\n\n" for k in range(2000))
    items = read(Enron(), mail(deep, Content_Type="multipart/mixed; boundary=b0"), "1.", tmp_path)
    assert not records(items)
    assert reasons(items) + list(skipped(items))
    many = mail("x" * 30, Cc=",\n ".join(f"a{k}@x" for k in range(20_000)))
    assert len(records(read(Enron(), many, "1.", tmp_path))) == 1
