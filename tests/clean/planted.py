"""A planted set: valid personal data of every kind in sentences, and look-alikes that are none. Nobody's data.

Check digits are computed here by the published rules, apart from the code under test.
"""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Callable, Iterator

_NAMES = "anna ben chen diego eva farid grace hana ivan julia kofi lena mara nils olga pedro quinn rosa sven tariq"
_DOMAINS = "acme.co.uk uni-ulm.de mail.ru gmail.com post.jp example-firm.org sub.dept.univ.edu proton.me wp.pl web.de"
NAMES, DOMAINS = _NAMES.split(), _DOMAINS.split()
HEXADECIMAL = "0123456789abcdef"
FRAMES = (
    "please write to {} today",
    "({})",
    "contact: {}",
    "{}",
    "it was {}, as noted",
    "\u00ab{}\u00bb",
    "see {}.\n",
    '"{}"',
)


def luhn_digit(digits: str) -> str:
    total = sum(sum(divmod(int(c) * (2 - k % 2), 10)) for k, c in enumerate(reversed(digits)))
    return str(-total % 10)


def mod97(text: str) -> int:
    return int("".join(str(int(c, 36)) for c in text)) % 97


def number(rng: random.Random, count: int, first: str = string.digits) -> str:
    return rng.choice(first) + "".join(rng.choices(string.digits, k=count - 1))


def email(rng: random.Random) -> str:
    a, b = rng.choice(NAMES), rng.choice(NAMES)
    local = rng.choice([a, f"{a}.{b}", f"{a}_{b}", f"{a}{rng.randrange(99)}", f"{a[0]}{b}", f"{a}+{b}", f"{a}-{b}"])
    local = rng.choice([local, local.title()])
    return f"{local}@{rng.choice(DOMAINS)}"


def american(rng: random.Random) -> tuple[str, str, str]:
    area = rng.choice("234567") + rng.choice("02345678") + rng.choice(string.digits)
    exchange = rng.choice("234678") + rng.choice("02345678") + rng.choice(string.digits)
    return area, exchange, number(rng, 4)


def phone(rng: random.Random) -> str:
    a, b, c = american(rng)
    forms = [f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"1-{a}-{b}-{c}", f"+1 {a} {b} {c}", f"+1{a}{b}{c}"]
    forms += [f"+44 20 {number(rng, 4, '378')} {number(rng, 4)}", f"+49 {number(rng, 3, '123')} {number(rng, 7)}"]
    forms += [
        f"+33 {rng.randrange(1, 7)} " + " ".join(number(rng, 2) for _ in range(4)),
        f"+91 {number(rng, 10, '789')}",
    ]
    forms += [f"+81-3-{number(rng, 4, '35')}-{number(rng, 4)}", f"+44 (0)20 {number(rng, 4, '378')} {number(rng, 4)}"]
    word = rng.choice(["Tel.: ", "phone ", "Fax: ", "call ", "mobile: ", "Telefon: "])
    forms += [f"{word}0{number(rng, 3, '123')} {number(rng, 7, '23456789')}", f"{word}{a} {b} {c}", f"{word}{a}{b}{c}"]
    return rng.choice(forms)


def ip(rng: random.Random) -> str:
    if rng.random() < 0.3:
        groups = [f"{rng.choice('23')}{rng.randrange(4096):03x}".replace("2001", "2002")]
        groups += [f"{rng.randrange(1, 65536):x}" for _ in range(7)]
        return rng.choice(
            [":".join(groups), ":".join(groups[:3]) + "::" + groups[7], groups[0] + ":" + groups[1] + "::1"]
        )
    first = rng.choice([23, 34, 52, 77, 81, 93, 104, 142, 151, 185, 193, 212])
    return f"{first}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def iban(rng: random.Random) -> str:
    country, size, letters = rng.choice(
        [("DE", 18, 0), ("FR", 23, 0), ("GB", 18, 4), ("NL", 14, 4), ("ES", 20, 0), ("PL", 24, 0)]
    )
    body = "".join(rng.choices(string.ascii_uppercase, k=letters)) + number(rng, size - letters)
    check = 98 - mod97(body + country + "00")
    whole = f"{country}{check:02}{body}"
    return rng.choice([whole, " ".join(whole[k : k + 4] for k in range(0, len(whole), 4))])


def card(rng: random.Random) -> str:
    start, size = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2345", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16)]
    )
    digits = start + number(rng, size - len(start) - 1)
    digits += luhn_digit(digits)
    if size == 15:
        grouped = f"{digits[:4]} {digits[4:10]} {digits[10:]}"
    else:
        grouped = rng.choice([" ", "-"]).join(digits[k : k + 4] for k in range(0, 16, 4))
    return rng.choice([grouped, f"{rng.choice(['card number', 'Visa:', 'credit card'])} {digits}"])


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def national_id(rng: random.Random) -> str:
    return rng.choice(NATIONAL)(rng)


def cpf(rng: random.Random) -> str:
    d = number(rng, 9)
    for size in (9, 10):
        d += str(weighted(d, tuple(range(size + 1, 1, -1))) * 10 % 11 % 10)
    return f"{d[:3]}.{d[3:6]}.{d[6:9]}-{d[9:]}"


def rut(rng: random.Random) -> str:
    d = number(rng, rng.choice([7, 8]), "123456789")
    check = 11 - sum(int(c) * (2 + k % 6) for k, c in enumerate(reversed(d))) % 11
    return f"{int(d):,}".replace(",", ".") + "-" + {11: "0", 10: "K"}.get(check, str(check))


def birth(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(40, 99), rng.randrange(1, 13), rng.randrange(1, 29)


def personnummer(rng: random.Random) -> str:
    year, month, day = birth(rng)
    d = f"{year:02}{month:02}{day:02}{number(rng, 3)}"
    return f"{d[:6]}-{d[6:]}{luhn_digit(d)}"


def hetu(rng: random.Random) -> str:
    year, month, day = birth(rng)
    d = f"{day:02}{month:02}{year:02}"
    n = f"{rng.randrange(2, 900):03}"
    return f"{d}-{n}" + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(d + n) % 31]


def dni(rng: random.Random) -> str:
    value = rng.randrange(10**8)
    return f"{value:08}" + "TRWAGMYFPDXBNJZSQVHLCKE"[value % 23]


def nie(rng: random.Random) -> str:
    lead, value = rng.choice("XYZ"), rng.randrange(10**7)
    return f"{lead}{value:07}" + "TRWAGMYFPDXBNJZSQVHLCKE"[("XYZ".index(lead) * 10**7 + value) % 23]


def codice_fiscale(rng: random.Random) -> str:
    letters = "".join(rng.choices("BCDFGLMNPRST", k=6))
    body = f"{letters}{rng.randrange(40, 99)}{rng.choice('ABCDEHLMPRST')}{rng.randrange(1, 29):02}"
    body += rng.choice("ABCDEFGHIL") + f"{rng.randrange(1, 999):03}"
    odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
    total = 0
    for k, c in enumerate(body):
        value = int(c) if c.isdigit() else ord(c) - 65
        total += odd[value] if k % 2 == 0 else value
    return body + chr(65 + total % 26)


def chinese(rng: random.Random) -> str:
    year, month, day = birth(rng)
    d = f"{rng.choice(['110105', '310104', '440106'])}19{year:02}{month:02}{day:02}{rng.randrange(1000):03}"
    return d + "10X98765432"[sum(int(c) * pow(2, 17 - k, 11) for k, c in enumerate(d)) % 11]


def nir(rng: random.Random) -> str:
    year, month, _ = birth(rng)
    place = f"{rng.randrange(1, 96):02}{rng.randrange(1, 999):03}{rng.randrange(1, 999):03}"
    d = f"{rng.choice('12')}{year:02}{month:02}{place}"
    key = f"{97 - int(d) % 97:02}"
    return rng.choice([d + key, f"{d[0]} {d[1:3]} {d[3:5]} {d[5:7]} {d[7:10]} {d[10:]} {key}"])


def ssn(rng: random.Random) -> str:
    return f"SSN {rng.randrange(1, 660):03}-{rng.randrange(1, 100):02}-{rng.randrange(1, 10000):04}"


def pesel(rng: random.Random) -> str:
    year, month, day = birth(rng)
    d = f"{year:02}{month:02}{day:02}{number(rng, 4)}"
    return f"PESEL: {d}{-weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}"


def bsn(rng: random.Random) -> str:
    while True:
        d = number(rng, 8, "123456789")
        check = weighted(d, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            return f"BSN {d}{check}"


def nhs(rng: random.Random) -> str:
    while True:
        d = number(rng, 9, "4679")
        check = (11 - weighted(d, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11
        if check < 10:
            return f"NHS number {d[:3]} {d[3:6]} {d[6:]}{check}"


def sin(rng: random.Random) -> str:
    d = number(rng, 8, "1234567")
    d += luhn_digit(d)
    return f"SIN: {d[:3]} {d[3:6]} {d[6:]}"


NATIONAL: tuple[Callable[[random.Random], str], ...] = (
    cpf, rut, personnummer, hetu, dni, nie, codice_fiscale, chinese, nir, ssn, pesel, bsn, nhs, sin,
)  # fmt: skip


def secret(rng: random.Random) -> str:
    def mixed(count: int, chars: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choices(chars, k=count))

    upper = string.ascii_uppercase + string.digits
    forms = [
        f"AKIA{mixed(16, upper)}",
        f"ghp_{mixed(36)}",
        f"glpat-{mixed(20)}",
        f"xoxb-{number(rng, 12)}-{mixed(24)}",
    ]
    forms += [
        f"sk_live_{mixed(24)}",
        f"AIza{mixed(35)}",
        f"hf_{mixed(34)}",
        f"npm_{mixed(36)}",
        f"sk-ant-api03-{mixed(80)}",
    ]
    forms += [f"eyJ{mixed(20)}.eyJ{mixed(40)}.{mixed(43)}", f"SG.{mixed(22)}.{mixed(43)}"]
    forms += [f'password = "{mixed(20)}"', f"api_key: '{mixed(32)}'", f'"client_secret": "{mixed(40)}"']
    block = "\n".join(mixed(64) for _ in range(5))
    forms += [f"-----BEGIN RSA PRIVATE KEY-----\n{block}\n-----END RSA PRIVATE KEY-----"]
    return rng.choice(forms)


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "email": email, "phone": phone, "ip": ip, "iban": iban, "card": card, "national_id": national_id, "secret": secret,
}  # fmt: skip


def broken(value: str, rng: random.Random) -> str:
    """The same form with one digit changed: the checksum fails."""
    places = [k for k, c in enumerate(value) if c.isdigit()]
    k = rng.choice(places[3:] or places)
    return value[:k] + str((int(value[k]) + rng.randrange(1, 10)) % 10) + value[k + 1 :]


def look_alikes(rng: random.Random) -> Iterator[str]:
    """Text that resembles personal data and is none."""
    for _ in range(40):
        yield f"icon@{rng.randrange(2, 4)}x.png"
        yield f"import {{x}} from 'pkg@{rng.randrange(9)}.{rng.randrange(20)}.{rng.randrange(9)}'"
        yield f"@{rng.choice(NAMES)} wrote @property and user@localhost"
        yield f"git clone git@github.com:{rng.choice(NAMES)}/{rng.choice(NAMES)}.git"
        yield f"write to {rng.choice(NAMES)}@example.com or {rng.choice(NAMES)}@host.invalid"
        yield "y = x@w.T + a@b.dot(c) - m@n.me(1)"
        yield f"ISBN 978-0-{rng.randrange(100, 999)}-{rng.randrange(10000, 99999)}-{rng.randrange(10)}"
        yield f"on 20{number(rng, 2, '12')}-0{rng.randrange(1, 9)}-1{rng.randrange(9)} at 12:30:{number(rng, 2, '123')}"
        yield f"ZIP {number(rng, 5)}-{number(rng, 4)}, pages {number(rng, 3)}-{number(rng, 4)}"
        yield f"part no. 1{number(rng, 2)}-{number(rng, 3)}-{number(rng, 4)}-{number(rng, 2)}"
        yield f"call 555-01{rng.randrange(10, 99)} or (212) 555-01{rng.randrange(10, 99)} in the film"
        yield f"{rng.randrange(100000, 999999)} {rng.randrange(1000, 9999)} {rng.randrange(1000, 9999)} rows"
        yield f"version {rng.randrange(1, 99)}.{rng.randrange(99)}.{rng.randrange(99)}.{rng.randrange(99)}"
        yield f"section {rng.randrange(1, 9)}.{rng.randrange(1, 30)}.{rng.randrange(1, 9)}.{rng.randrange(1, 9)} of it"
        yield f"on 192.168.{rng.randrange(256)}.{rng.randrange(1, 255)}, 10.0.0.{rng.randrange(1, 255)} and 127.0.0.1"
        yield f"OID 1.3.6.1.4.1.{rng.randrange(1, 9999)}.{rng.randrange(1, 99)}.2.1"
        yield f"256.300.{rng.randrange(256)}.999 and 1.02.3.4"
        yield f"std::vector<int> ab::cd::{rng.choice(NAMES)}, ratio 3:4:5, MAC 00:1b:44:11:3a:b7"
        yield f"route 2001:db8::{rng.randrange(1, 9999):x} and fe80::1"
        yield broken(iban(rng), rng)
        yield f"order {number(rng, 15, '4')}, {broken(cpf(rng), rng)}"
        yield f"0.{number(rng, 16)} and 1.{number(rng, 15)}e-{rng.randrange(1, 30)}"
        yield f"id={number(rng, 16, '4')}&ts={number(rng, 13, '1')}"
        yield f"sha1 {''.join(rng.choices(HEXADECIMAL, k=40))}"
        yield f"uuid {''.join(rng.choices(HEXADECIMAL, k=8))}-1234-4abc-9def-{''.join(rng.choices(HEXADECIMAL, k=12))}"
        yield 'password = "changeme", secret = "xxxxxxxxxxxxxxxxxxxxxxxx", token = ""'
        yield f"def get_password(user): return PASSWORD_{rng.choice(NAMES).upper()}"
        yield "AKIAIOSFODNN7EXAMPLE ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx sk-learn sk-image"
        yield f"def ghp_{rng.choice(NAMES)}(): 'reads -----BEGIN PRIVATE KEY----- blocks'"
        yield f"int32 {rng.choice(['+2147483647', '-2147483648'])}, +{number(rng, 6)}, 1e+{rng.randrange(10, 300)}"
        yield f"{number(rng, 8)} {rng.choice(NAMES)}, {rng.randrange(10**6):06}-{rng.choice(NAMES)}"


def planted(per_kind: int = 200, seed: int = 1) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Documents, and for each the (kind, value) pairs in it; look-alikes have none."""
    rng = random.Random(seed)
    texts: list[str] = []
    truth: list[list[tuple[str, str]]] = []
    frames = itertools.cycle(FRAMES)
    for kind, make in MAKERS.items():
        for _ in range(per_kind):
            value = make(rng)
            texts.append(next(frames).format(value))
            truth.append([(kind, value)])
    for text in look_alikes(rng):
        texts.append(text)
        truth.append([])
    return texts, truth
