"""Abbreviations with dots and words that open sentences, as data of the sentence splitter.

All entries but one are lower case, all without the final dot. English first; Latin and a few German,
French and Spanish forms do no harm because they are no English words.
"""

# ruff: noqa: SIM905 - word lists read better as prose than as quoted items

from __future__ import annotations

from typing import Final

NEVER_FINAL: Final[frozenset[str]] = frozenset(
    """
    dr mr mrs Ms prof drs profs messrs rev hon gen col capt lt sgt st ste mt
    fig figs eq eqs eqn ref refs vol chap sect nr pp pg ed eds suppl
    vs v cf viz e.g i.e eg ie resp approx ca circa incl excl esp est aka a.k.a
    ssp subsp var nov cv bros dept univ assn
    z.b d.h bzw u.a p.ej p.ex sr sra
    """.split()
)
"""What follows belongs to them, whatever its case: no sentence ends here. ``Ms`` only in this case."""

NUMBERED: Final[frozenset[str]] = frozenset("no nos tab tabs p para art item".split())
"""Abbreviations only where a number follows: ``No. 5``."""

CAPITAL_TITLES: Final[frozenset[str]] = frozenset("dr drs mr mrs vs fig st".split())
"""Of the abbreviations without inner dots, those that stay abbreviations in capitals."""

SELDOM_FINAL: Final[frozenset[str]] = frozenset(
    """
    al etc inc ltd corp co llc jr sr phd ph.d m.d d.o r.n p.a d.d.s m.sc b.sc m.s b.s b.a m.a m.p.h d.v.m
    u.s u.k u.s.a e.u u.n d.c a.d b.c
    sp spp jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri
    max avg temp hosp pt pts wt ht hx dx rx tx fx sx ave blvd rd
    biol chem genet med nat mol hum acad sci proc natl soc assoc clin engl am eur int biochem biophys
    pharmacol exp immunol physiol pathol neurol microbiol
    a.m p.m i.p s.d s.e s.e.m c.v s.s
    """.split()
)
"""They may end a sentence: only a word that opens sentences, or a new line, says so."""

OFTEN_FINAL: Final[frozenset[str]] = frozenset(
    """
    b.i.d t.i.d q.i.d q.d q.o.d q.h.s q.a.m q.p.m h.s p.o i.v i.m s.c s.q p.r p.r.n n.p.o a.c p.c o.d o.s o.u
    b.d t.d.s q.d.s bid tid qid qd qod qhs po iv im sc sq pr prn npo hs stat
    mg mcg ug kg g gm gms ml dl l cc cm mm m mmhg meq mmol min mins sec hr hrs h secs s wk wks mo mos
    yr yrs lb lbs oz
    """.split()
)
"""Doses and units: a capitalised word after them starts a sentence, a dose word or a number does not."""

DOSE_WORDS: Final[frozenset[str]] = frozenset(
    """
    bid tid qid qd qod qhs qam qpm po iv im sc sq sl pr prn npo hs stat daily p q b t
    """.split()
)
"""Capitalised or not, they go on with a prescription."""

OPENERS: Final[frozenset[str]] = frozenset(
    """
    the this these those that there here it its we our they their he his she her i you a an
    in on at by for from with without of to as if when while since because although though after before during
    however thus therefore hence furthermore moreover additionally also then finally further
    both all no not none only some such each every most many several few one two three four
    using based compared consistent overall interestingly importantly recently previously unlike like despite
    patient patients results methods conclusion conclusions background objective objectives purpose aim aims
    introduction design setting measurements interventions discussion findings significance
    what which who whether how why where under between among within
    out more analysis treatment studies data
    """.split()
)
"""Words that open sentences and are seldom the second half of a name."""

LETTERED: Final[frozenset[str]] = frozenset(
    """
    vitamin hepatitis type group groups class factor protein kinase cyclin influenza stage grade virus
    apolipoprotein cytochrome subunit chain arm phase haemophilia hemophilia immunoglobulin ig
    coenzyme complex
    category part case patient family level zone region domain site antigen toxin dna x y cyclosporin
    and or to than plus
    """.split()
)
"""Words that a single capital letter completes: ``hepatitis C.`` ends, ``J.`` goes on."""
