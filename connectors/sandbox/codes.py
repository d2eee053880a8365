"""Makes invented codes with correct check characters.

Written apart from ``schemas.identifiers`` on purpose: the sandbox must not agree with the gateway only
because both call the same function. The serial parts lie where no authority issues codes, so that an
invented code is never that of a real company or person.
"""

from __future__ import annotations

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def uscc_check(stem: str) -> str:
    """Check character of the first 17 characters of a USCC (GB 32100-2015, 5.5)."""
    total = sum(USCC_ALPHABET.index(char) * weight for char, weight in zip(stem, USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[-total % 31]


def organisation_code(stem: str) -> str:
    """Nine characters from eight: the organisation code (GB 11714-1997), letters counting A=10."""
    total = sum(int(char, 36) * weight for char, weight in zip(stem, ORGANISATION_WEIGHTS, strict=True))
    return stem + "0X987654321"[total % 11]


def uscc(prefix: str, region_code: str, organisation: str) -> str:
    """Eighteen characters from authority and class, region and organisation code."""
    stem = prefix + region_code + organisation
    return stem + uscc_check(stem)


def mod_11_10(digits: str) -> str:
    """Check digit after ISO 7064 MOD 11,10, as used by GS15-2006 registration numbers and food licences."""
    rest = 10
    for digit in digits:
        total = (rest + int(digit)) % 10 or 10
        rest = total * 2 % 11
    return str((11 - rest) % 10)


def registration_no(region_code: str, serial: int) -> str:
    """Fifteen digits: authority that first registered, serial, check digit (GS15-2006)."""
    stem = f"{region_code}{serial:08d}"
    return stem + mod_11_10(stem)


def cooperative_no(region_code: str, serial: int) -> str:
    """Fifteen characters of a farmers' cooperative: region, NA, six digits and X (not under MOD 11,10)."""
    return f"{region_code}NA{serial:06d}X"


def food_production_licence(category: int, region_code: str, serial: int) -> str:
    """``SC`` and fourteen digits; category is 101 to 131 for food."""
    stem = f"{category}{region_code}{serial:04d}"
    return f"SC{stem}{mod_11_10(stem)}"


def food_business_licence(kind: int, region_code: str, serial: int) -> str:
    """``JY`` and fourteen digits; kind is 1 sale, 2 catering, 3 canteen."""
    stem = f"{kind}{region_code}{serial:06d}"
    return f"JY{stem}{mod_11_10(stem)}"


def gtin13(serial: int) -> str:
    """Thirteen digits under a Chinese prefix (699), check digit modulo 10."""
    stem = f"6999{serial:08d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(stem))
    return stem + str(-total % 10)


def id_card_no(birth: str, serial: int) -> str:
    """Eighteen characters of nobody: region 990000 does not exist, the check character (GB 11643) is right."""
    stem = f"990000{birth}{serial % 1000:03d}"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(stem))
    return stem + "10X98765432"[total % 11]
