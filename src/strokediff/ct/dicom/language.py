"""The words in which scanners and radiographers write of contrast, a line a language.

Data only; `wording` reads it. Words are compared without accents, in lower case and in the
normal width, so "Après", "APRES" and "ＡＰＲＥＳ" are one. A word that ends in * is a beginning.
"""

from __future__ import annotations

CONTRAST = {
    "English": "contrast* cect cemr ce enhanced enhancement inject* inj iv i.v. dye delayed delay",
    "vessels": "cta ctp ctv angio* ctangio* venogr* arteriogr* carot* karot* willis cow arter* "
    "venous veneuse veineu* venosa venoso venose venoes* portal perf* vpct dynamic dynmulti* "
    "bolus* monitoring premon* tsa",
    "agents": "omnipaque ultravist iomeron imeron visipaque isovue iopamiro* xenetix optiray "
    "accupaque iohexol iopamidol iodixanol ioprom* ioversol iobitridol iomeprol niopam oxilan",
    "French": "contraste injection* inject* pdc apc pi tardif tardive iode",
    "Spanish, Portuguese": "contrast* contrastad* civ inyec* injet* realce gadolinio",
    "Italian": "contrasto mdc cmdc contrastograf* iniez*",
    "German": "kontrast* km kmi kontrastmittel* angereichert",
    "Dutch": "contrast* contrastmiddel* nacontrast",
    "Scandinavian": "kontrast* kontrastmed* ivk",
    "Finnish, Estonian": "varjoaine* tehoste* kontrastaine*",
    "Polish, Czech, Slovak, Croatian": "kontrast* kontrastow* postkontrast* zakontrast* kontr",
    "Romanian, Hungarian": "contrast* kontraszt*",
    "Russian, Ukrainian, Bulgarian": "контраст* ку внутривен* болюс* усилен* ангио* перфуз* кв",
    "Greek": "σκιαγρ* ενδοφλεβι* αγγειο*",
    "Turkish": "kontrastli kontrastlı kontrast* opakli ivkm",
    "Indonesian, Vietnamese": "kontras kontras* tiem",
    "Arabic, Hebrew": "صبغة بالصبغة تباين ניגוד",
}
"""Contrast was given, unless a negation stands beside the word."""

PLAIN = {
    "English": "plain noncontrast* noncon nonenhanced nonenh unenhanced ncct nect nccthead nc "
    "native precontrast uncontrasted contrastfree noiv nocontrast* tnc",
    "French": "spc sanscontraste sansinjection ni",
    "Spanish, Portuguese": "simple simples basal sincontraste semcontraste",
    "Italian": "basale diretta diretto smdc senzamdc",
    "German, Scandinavian": "nativ* nativt ohnekm leeraufnahme",
    "Dutch": "blanco zondercontrast",
    "Finnish, Estonian": "natiivi*",
    "Polish, Czech, Slovak, Hungarian, Romanian": "natyw* nativn* prekontrast* bezkontrast* nativ*",
    "Russian, Ukrainian, Bulgarian": "натив* бесконтраст* безконтраст* неконтраст* бк",
    "Greek": "απλη απλο",
    "Turkish": "kontrastsiz* opaksiz*",
    "Indonesian": "polos",
}
"""The word alone says that no contrast was given."""

WITHOUT = {
    "English": "without wo w/o no non not nil never pre before minus",
    "French": "sans avant pas aucun aucune",
    "Spanish, Portuguese": "sin sem antes ninguno nenhum sen",
    "Italian": "senza prima nessun",
    "German": "ohne kein keine vor o",
    "Dutch": "zonder geen voor",
    "Scandinavian": "uden uten utan ingen intet u",
    "Finnish": "ilman ei",
    "Polish, Czech, Slovak, Croatian": "bez przed pred brak b",
    "Romanian": "fara",
    "Russian, Ukrainian, Bulgarian": "без до не нет б",
    "Greek": "χωρις ανευ δεν προ",
    "Indonesian, Vietnamese": "tanpa khong",
    "Arabic, Hebrew": "بدون بلا ללא",
}
"""Turns the contrast words behind it into their opposite."""

WITH = {
    "English": "with w post after",
    "French": "avec apres",
    "Spanish, Portuguese, Italian": "con com despues depois pos tras dopo",
    "German, Dutch, Scandinavian": "mit nach met na med efter etter m",
    "Polish, Czech, Slovak, Croatian": "z ze po nakon",
    "Romanian, Hungarian": "cu dupa utan",
    "Russian, Ukrainian, Bulgarian": "с со з после після след",
    "Greek": "με μετα",
    "Indonesian, Turkish": "dengan ile sonrasi",
    "Arabic, Hebrew": "مع بعد עם",
}
"""Says contrast before a short form of it, or where nothing follows."""

BEHIND = (
    "no none nil negative free nein non nao nej nie nelkul nelkuli yok olmadan нет brak ninguno "
    "aucun nessuno geen ingen off"
)
"""A negation that follows its word: "contrast: none", "kontraszt nélkül"."""

FILLERS = (
    "iv i v de du d la le les el of the any produit medio mezzo di meio agent agents media medium "
    "material materiale intraven* endoven* srodka srodku latky latka given вещества в в/в oral"
)
"""Words that may stand between a negation and what it negates."""

SHORT = "c k con cont cm contr dye pc enh kl"
"""Contrast only beside one of WITHOUT and WITH: "POST C", "wo con", "bez k"."""

AND = "and & et y e und en och og i и ja ve si a / + then dan"

NOT_OF_CONTRAST = (
    "post",
    "op opera* operat* surg* fossa trauma* stroke tpa lys* thromb* evd shunt* drain* coil* clip* "
    "embol* biops* mort* proces* fall ictal treat* tx rt radi* arrest resect* evac* burr cranio* "
    "crani* decomp* evt lesion* cva ich sah recon* iv-tpa angiopl* cardiac",
    "pre",
    "op opera* operat* surg* tx treat* rt evt shunt* radi* cranio* crani*",
)
"""Words, and what may follow them when they do not speak of contrast."""

BENIGN = (
    "enhanced conversion",
    "enhanced multi",
    "enhanced ct",
    "low contrast",
    "high contrast",
    "contrast resolution",
    "contrast scale",
    "ventricle iv",
    "iv ventricle",
)
"""Phrases of technique that hold a contrast word."""

SIGNED = "c|k|ce|iv|civ|km|kml|mdc|cm|contrast|contraste|kontrast|inj|pdc"
"""What a plus or minus beside it affirms or denies: C+, +C, KM-."""

ABBREVIATED = {
    "with and without contrast": (
        r"\bwwo\b",
        r"\bw\s?/\s?wo\b",
        r"\bw\s?[/&+]?\s?w\s?/\s?o\b",
        r"\bw\s?/\s?o\s?[/&+]\s?w\b",
    ),
    "without": (r"\bw\s?[/\\]\s?o(?:ut)?\b",),
    "with": (r"\bw/",),
    "without contrast": (
        r"\bs\s?/\s?c\b",
        r"\bs/\s?(?=c|k|m|iv)",
        r"\bs[./]?\s?(?=contr|civ\b|iv\b|inj|iny)",
        r"\bs\.?\s?m\.?d\.?c\b\.?",
        r"\b[bu]\s?/\s?k\b",
        r"\bб\s?/\s?к\b",
    ),
    "with contrast": (
        r"\bc\s?/\s?c\b",
        r"\bc/\s?(?=c|k|m|iv)",
        r"\bc\.?\s?m\.?d\.?c\b\.?",
        r"\b[mz]\s?/\s?k\b",
        r"\bк\s?/\s?у\b",
        r"\bс\s?/\s?к\b",
    ),
    "iv": (r"\bi\.\s?v\b\.?",),
    "kl": (r"\bk\.\s?l\b\.?",),
    "bolus": (r"\btest\s?inj",),
}
"""Short forms by what they stand for, in the order in which they are looked for."""

CJK_BOTH = (
    r"造影前後|造影前后|平扫\s?[+和及]\s?增强|平掃\s?[+和及]\s?增強|単純\s?[+・、]\s?造影|"
    r"조영\s?전후"
)
CJK_PLAIN = (
    r"単純|单纯|單純|平扫|平掃|素扫|非造影|無造影|无造影|未造影|造影前|"
    r"(?:非|未|無|无)(?:增强|增強)|"
    r"(?:造影[剤剂劑]?|对比剂|對比劑|增强|增強)\s?[:]?\s?(?:なし|無し|無|无|ない|否)|"
    r"(?:無|无|不打|未注射)(?:造影|对比|對比|显影)[剂劑剤]?|フレーン|プレーン|"
    r"비\s?조영|무\s?조영|조영\s?전|조영제?\s?(?:없음|없이|무|안\s?함)|단순"
)
CJK_CONTRAST = (
    r"造影|增强|增強|对比剂|對比劑|[動动静靜門门]脈?脉?[相期]|平衡相|灌注|灌流|血管|"
    r"조영|동맥기|정맥기|관류|혈관"
)
"""Chinese, Japanese and Korean are written without spaces: patterns, the plain ones first."""

VIRTUAL = "virtual* virtuel* virtuell* virtuale virtueel wirtual* виртуальн* sanal vnc vue-virtual"
CJK_VIRTUAL = r"仮想|虚拟|虛擬|가상"
"""Computed from scans at two energies: like plain, but not a plain scan."""
MONOENERGETIC = (
    r"\bmono\s?e\b|\bmono\s?\+|\bmono\s?energ|\bmonoe|\bvmi\b|\bmonochrom|\bkev\b|\d\s?kev\b"
)

NO_AGENT = (
    "none no not n na n/a nil null nothing nan unknown undefined unspecified false empty off x "
    "kein keine keiner keines ohne sans aucun aucune rien ninguno ninguna nenhum nenhuma nada "
    "nessuno nessuna niente geen ingen intet ei brak nic zadny zadne нет нету без отсутствует yok "
    "nincs leer vide vacio vazio blank default select absent sin sem senza bez uden uten utan "
    "無 无 無し 无し なし 沒有 没有 없음 無使用 未使用 不使用 χωρις οχι tanpa khong לא ללא لا بدون"
)
"""What is written for an agent where none was given."""

ORAL = "oral* peroral* gastrograf* gastroview barium baryt rectal* per os telebrix-oral"

LOCALIZER = (
    r"\bscout|topogram|surview|locali[sz]er|localizador|localizzator|lokalizator|scanogram|"
    r"scanoview|pilot\b|planning view|radio de reperage|повзорн|топограмм|定位|位置決め|"
    r"スカウト|위치\s?결정|스카우트"
)
SHARP = (
    r"bone|\bsharp|\bedge\b|\blung|knoch|\bosseo|\bosseux|\bosseuse|\bos\b|\bhueso|\bosea\b|\bosso|"
    r"\bossea|\bben\b|\bbot\b|\bkosc|\bkost|\bkemik|\bcsont|\bluu\b|кост|οστ|temporal(?!\s?(?:lobe|pos))|"
    r"骨|골\s?(?:조건|창)|뼈"
)
"""Patterns of a scout view, and of a reconstruction for bone."""
