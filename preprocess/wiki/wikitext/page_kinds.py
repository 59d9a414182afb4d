"""Pages that are no articles although they stand among them: redirects and disambiguations."""

from __future__ import annotations

import re
from functools import cache

# The word after # that makes a redirect, in lower case. Newer dumps name redirects themselves, in <redirect>.
_REDIRECT_WORDS = """redirect redirection redirecionamento redirección redireccion rinvia rinvio weiterleitung doorverwijzing
    omdirigering omdirigér omdiriger ohjaus uudelleenohjaus suunta patrz przekieruj tam alih přesměruj presmeruj átirányítás
    redirecteaza redirecționeaza preusmjeri preusmeritev преусмери преусмеравање виж пренасочване пренасочи перенаправление
    перенапр перенаправлення перанакіраванне айдау аударым yönlendir yönlendirme i̇stiqamətləndirmə đổi เปลี่ยนทาง
    ανακατευθυνση تحويل تغییر_مسیر تغييرمسیر הפניה पुनर्प्रेषित अनुप्रेषित পুনর্নির্দেশ 転送 リダイレクト 重定向 넘겨주기 endurbeina
    tilvísun athsheoladh ail-cyfeirio ailgyfeirio alidirektu birzuzendu suuna peradresācija پەڕاندن გადამისამართება
    վերահղում stivora адкыт"""
_REDIRECT = re.compile(
    r"\s*#\s?(?:" + "|".join(re.escape(word).replace("_", r"[\s_]") for word in _REDIRECT_WORDS.split()) + r")\s*:?\s*"
    r"\[\[([^\[\]|\n]+)",
    re.IGNORECASE,
)

# Names of the templates that mark a disambiguation, by language; those of "en" count everywhere.
_DISAMBIGUATIONS = {
    "en": "disambig|disambiguation|dab|disamb|hndis|geodis|mathdab|numberdis|roaddis|schooldis|hospitaldis|surname-dab|"
    "human name disambiguation|place name disambiguation|airport disambiguation|species latin name disambiguation|"
    "letter-numbercombdisambig|disambiguation cleanup|disambig cleanup|wikipedia disambiguation",
    "af": "dubbelsinnig",
    "ar": "توضيح|صفحة توضيح",
    "az": "dəqiqləşdirmə",
    "be": "неадназначнасць",
    "bg": "пояснение",
    "bn": "দ্ব্যর্থতা নিরসন",
    "br": "digejañ",
    "bs": "čvor",
    "ca": "desambiguació",
    "cs": "rozcestník|rozcestník - příjmení",
    "da": "flertydig",
    "de": "begriffsklärung",
    "el": "αποσαφήνιση|αποσ",
    "eo": "apartigilo",
    "es": "desambiguación|desambiguacion|desambig|des",
    "et": "täpsustus|täpsustuslehekülg",
    "eu": "argipen|argipen orri",
    "fa": "ابهام‌زدایی|ابهام زدایی",
    "fi": "täsmennyssivu|täsmennys",
    "fr": "homonymie|homonymes|paronymie|toponymie|patronymie|arrondissements homonymes",
    "gl": "homónimos",
    "he": "פירושונים",
    "hi": "बहुविकल्पी शब्द|बहुविकल्पी",
    "hr": "razdvojba",
    "hu": "egyért|egyértelműsítő",
    "hy": "երկիմաստ",
    "id": "disambiguasi",
    "is": "aðgreining",
    "it": "disambigua",
    "ja": "aimai|曖昧さ回避|人名の曖昧さ回避|地名の曖昧さ回避|山の曖昧さ回避|学校名の曖昧さ回避",
    "ka": "მრავალმნიშვნელოვანი",
    "kk": "айрық|мағына",
    "ko": "동음이의|동명이인",
    "la": "discretiva",
    "lb": "homonymie",
    "lt": "disambig|nuorodinis straipsnis",
    "lv": "nozīmju atdalīšana",
    "mk": "појаснување",
    "ms": "nyahkekaburan",
    "nds": "mehrdüdig begreep",
    "nl": "dp|doorverwijspagina|dpintro|dpafk",
    "nn": "fleirtyding",
    "no": "peker|pekerside|etternavn",
    "pl": "ujednoznacznienie|strona ujednoznaczniająca",
    "pt": "desambiguação|desambig|desambig-ini",
    "ro": "dezambiguizare",
    "ru": "неоднозначность|многозначность|однофамильцы|список однофамильцев|тёзки",
    "sk": "rozlišovacia stránka|disambiguation",
    "sl": "razločitev",
    "sq": "kthjellim",
    "sr": "вишезначна одредница|višeznačna odrednica",
    "sv": "förgrening|grensida|gren|namnförgrening|ortsförgrening|efternamn|betydelselös förgrening",
    "sw": "maana",
    "ta": "பக்கவழி நெறிப்படுத்தல்",
    "te": "అయోమయ నివృత్తి",
    "th": "แก้กำกวม|แก้ความกำกวม",
    "tl": "paglilinaw",
    "tr": "anlam ayrımı|anlam ayrım",
    "uk": "неоднозначність|багатозначність|disambigg",
    "ur": "ضد ابہام",
    "vi": "định hướng|trang định hướng|thế giới định hướng",
    "zh": "消歧义|消歧義|消歧义页|消歧義頁|人名消歧义|地名消歧义",
}


def redirect_target(wikitext: str) -> str | None:
    """The target of a page that is a redirect by its text (``#REDIRECT [[Page#Part]]``, in any language), else None."""
    match = _REDIRECT.match(wikitext)
    return match[1] if match else None


def is_disambiguation(wikitext: str, language: str) -> bool:
    """Whether the page lists several meanings of its title: by magic word, or by the name of a template."""
    return "__DISAMBIG__" in wikitext or _pattern(language).search(wikitext) is not None


@cache
def _pattern(language: str) -> re.Pattern[str]:
    names = f"{_DISAMBIGUATIONS['en']}|{_DISAMBIGUATIONS.get(language, '')}".strip("|").split("|")
    either = "|".join(re.escape(name).replace(r"\ ", "[ _]") for name in names)
    return re.compile(r"\{\{\s*(?:" + either + r")\s*[|}]", re.IGNORECASE)
