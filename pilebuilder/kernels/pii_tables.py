"""Tables of the personal-data kernels: byte classes, triggers, words that say what a number is, token prefixes."""

from __future__ import annotations

import functools
import string

import numpy as np

ALNUM, DIGIT, LOCAL, HEX, UPPER, TOKEN, DOMAIN, SECRET_CLASSES = (1 << k for k in range(8))
T_AT, T_DIGIT, T_NUMBER, T_QUOTE, T_DASH, T_PREFIX, T_CAPITAL = (1 << k for k in range(7))
(
    PHONE_WORD, VERSION_WORD, IP_WORD, CARD_WORD, SSN, SIN, BSN, TFN, NHS, EGN, PESEL, AADHAAR, CNP,
) = (1 << k for k in range(13))  # fmt: skip

WORDS = {
    PHONE_WORD: "tel telephone telephones phone phones ph fax mobile mob cell cellphone call calls called calling dial"
    " whatsapp sms hotline telefon telefax handy tél téléphone teléfono telefono tfno móvil celular telefone telemóvel"
    " telefoon téléc telefonnummer puhelin tlf телефон тел 电话 電話 手机",
    VERSION_WORD: "version versions ver v release releases revision rev build section sections chapter clause article"
    " paragraph table figure item items oid standard rfc sec ch step schema",
    IP_WORD: "ip ips ipv4 address addresses addr host hosts hostname server gateway nameserver dns ping from client"
    " remote peer via subnet connected connection connecting bind listening proxy",
    CARD_WORD: "card cards visa mastercard amex discover jcb credit debit cc ccnum pan payment creditcard cardnumber",
    SSN: "ssn ssns social",
    SIN: "sin nas insurance",
    BSN: "bsn burgerservicenummer sofinummer",
    TFN: "tfn tax",
    NHS: "nhs",
    EGN: "egn егн",
    PESEL: "pesel",
    AADHAAR: "aadhaar aadhar uid uidai",
    CNP: "cnp",
}

# Two-letter country domains, and generic ones in common use. A name under another ending is not taken for an address.
COUNTRIES = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg
ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi
gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw
ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so
sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye
yt za zm zw
"""
GENERIC = """
com org net edu gov mil int info biz name pro aero asia cat coop jobs mobi museum post tel travel xxx app dev page blog
shop store online site website web tech cloud digital email mail live life world today news media press agency company
group team solutions services systems network technology software studio design art photo photography video music
academy university school education institute foundation charity church health care clinic dental doctor legal law
attorney finance financial money bank insurance consulting partners ventures capital global international works work
club community social chat zone space host hosting domains link click xyz top vip icu fun wiki guru expert ninja rocks
berlin london paris nyc tokyo amsterdam wien hamburg koeln bayern swiss scot wales cymru eus gal bzh quebec africa
moscow arpa google apple amazon microsoft cern bbc onion
"""
RESERVED = "example test invalid localhost local example.com example.org example.net example.edu"
ASSIGNED_NAMES = """
password passwd pwd passphrase secret secrets token apikey api_key api-key accesskey access_key secretkey secret_key
auth_token authtoken access_token client_secret clientsecret private_key privatekey credential credentials
encryption_key signing_key bearer
"""

# Published prefixes of access tokens: prefix, characters behind it (class, least, most).
PREFIXES: tuple[tuple[str, int, int, int], ...] = (
    ("AKIA", ALNUM, 16, 16), ("ASIA", ALNUM, 16, 16),  # Amazon Web Services
    ("ghp_", ALNUM, 36, 36), ("gho_", ALNUM, 36, 36), ("ghu_", ALNUM, 36, 36), ("ghs_", ALNUM, 36, 36),  # GitHub
    ("ghr_", ALNUM, 36, 76), ("github_pat_", TOKEN, 50, 90),
    ("glpat-", TOKEN, 20, 64),  # GitLab
    ("xoxb-", TOKEN, 20, 120), ("xoxp-", TOKEN, 20, 120), ("xoxa-", TOKEN, 20, 120),  # Slack
    ("xoxr-", TOKEN, 20, 120), ("xoxs-", TOKEN, 20, 120), ("xapp-", TOKEN, 20, 160),
    ("sk_live_", ALNUM, 20, 120), ("rk_live_", ALNUM, 20, 120), ("sk_test_", ALNUM, 20, 120),  # Stripe
    ("AIza", TOKEN, 35, 35), ("ya29.", TOKEN, 30, 250), ("GOCSPX-", TOKEN, 28, 28),  # Google
    ("hf_", ALNUM, 30, 40),  # Hugging Face
    ("npm_", ALNUM, 36, 36), ("pypi-AgEI", TOKEN, 50, 250),  # package registries
    ("sk-ant-", TOKEN, 40, 200), ("sk-proj-", TOKEN, 40, 200), ("sk-", ALNUM, 48, 64),  # model providers
    ("SG.", SECRET_CLASSES, 60, 75),  # SendGrid: SG.<22>.<43>
    ("dop_v1_", HEX, 64, 64),  # DigitalOcean
    ("shpat_", HEX, 32, 32), ("shpss_", HEX, 32, 32),  # Shopify
    ("key-", HEX, 32, 32),  # Mailgun
    ("NRAK-", ALNUM, 27, 27),  # New Relic
    ("LTAI", ALNUM, 17, 21),  # Alibaba Cloud
)  # fmt: skip

# IBAN registry (SWIFT), release 96: country and total length.
IBAN_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21
LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22
RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""


@functools.cache
def classes() -> np.ndarray:
    """uint8 [256]: class flags of each byte."""
    table = np.zeros(256, np.uint8)

    def mark(flag: int, chars: str) -> None:
        for char in chars:
            table[ord(char)] |= flag

    letters = string.ascii_letters
    mark(ALNUM, letters + string.digits)
    mark(DIGIT, string.digits)
    mark(LOCAL, letters + string.digits + "._%+-'")
    mark(HEX, string.hexdigits)
    mark(UPPER, string.ascii_uppercase)
    mark(TOKEN, letters + string.digits + "_-")
    mark(DOMAIN, letters + string.digits + "-")
    mark(SECRET_CLASSES, letters + string.digits + "+/=_-.~!#$%^&*")
    return table


@functools.cache
def triggers() -> np.ndarray:
    """uint8 [256]: what may begin at each byte."""
    table = np.zeros(256, np.uint8)
    table[ord("@")] = T_AT
    table[[ord(c) for c in string.digits]] = T_DIGIT | T_NUMBER
    table[[ord("+"), ord("(")]] = T_NUMBER
    table[[ord('"'), ord("'")]] = T_QUOTE
    table[ord("-")] = T_DASH
    table[[ord(c) for c in string.ascii_uppercase]] = T_CAPITAL
    for prefix, *_ in PREFIXES:
        table[ord(prefix[0])] |= T_PREFIX
    table[ord("e")] |= T_PREFIX  # eyJ: JSON Web Tokens
    return table


@functools.cache
def prefix_rules() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rules [r, 5] by first byte (prefix begin and end, class, least, most), prefix bytes, first rule of each byte."""
    ordered = sorted(PREFIXES, key=lambda p: (p[0][0], -len(p[0]), p[0]))
    text = "".join(p[0] for p in ordered).encode()
    rules = np.zeros((len(ordered), 5), np.int64)
    place = 0
    for k, (prefix, kind, least, most) in enumerate(ordered):
        rules[k] = place, place + len(prefix), kind, least, most
        place += len(prefix)
    first = np.searchsorted([ord(p[0][0]) for p in ordered], np.arange(257)).astype(np.int64)
    return rules, np.frombuffer(text, np.uint8), first


@functools.cache
def iban_lengths() -> np.ndarray:
    """uint8 [676]: IBAN length by pair of capitals."""
    table = np.zeros(676, np.uint8)
    for entry in IBAN_LENGTHS.split():
        table[(ord(entry[0]) - 65) * 26 + ord(entry[1]) - 65] = int(entry[2:])
    return table


def hash_set(hashes: np.ndarray) -> np.ndarray:
    """Open-addressing set of hashes: uint64, 0 empty, length a power of two."""
    size = 1 << (4 * max(1, len(hashes))).bit_length()
    table = np.zeros(size, np.uint64)
    for key in hashes.tolist():
        place = key & (size - 1)
        while table[place] and int(table[place]) != key:
            place = (place + 1) & (size - 1)
        table[place] = key
    return table
