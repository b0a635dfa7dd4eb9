"""Harmless sentences made for training: words that look like insults by their letters, and identity terms at rest.

They share no content word with the bias test (a test of this project holds that): a list that did would let the model
learn the test's words and report a fairness that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator

from pilebuilder.kernels.sentences import PLACEHOLDER

# Ordinary words with unlucky letters in them (the "Scunthorpe problem").
_LOOKALIKES = """
abuse-case accumulate advantage aggravate albedo albumin amass ambassador analog analysis analyst anaphora annihilate
appraise arsenal arsenic assassin assay assemble assembly assert assess assessment asset assign assist associate
assortment assume assurance asthma balloon ballot banal bass bassist bastille bastion bitcoin bitmap bitter bitumen
blackbird blowfish bookworm brassica breastbone buffet bushel butter buttercup butterfly button buttress canal canvass
cassette cassock classic classify clickable climax cockatoo cockpit cocktail cologne compass conch condom-policy
constitute convict cracker crackle cumin cumulative cumulus cunning damson damascus dickens dictionary dikes document
dumbbell dumpling dyke embarrass embassy embosser encompass essex eunuch evaluate execute exhibit fagaceae fanny
farthing fatigue fishery fuchsia fungus gasket glass grape grass hancock harass-policy hassle hello hitchcock
homogeneous homonym homologous hoecake horsewhip hyper identity idiom idiomatic inclination institute invoice japan
jasper jerkin kickoff lackey lass massage massacre-trial matsushita middlesex mishit morass mustard niggle nightingale
node nodule nonsense-mutation nutrition pacific pakora pamper panic parsnip passage passenger passion passport peacock
penistone petticoat phallic-symbol philanthropist piston placebo poppycock porpoise potassium prickly psychology
pumpkin pussywillow rapeseed raptor rasp rebuttal recompass reprimand retardant retardation-time rooster rubbish-bin
sassafras scrap scrapbook scunthorpe semiotic sexagesimal sextant sextet shaft shellac shiitake shipment shirt shitake
shooting-script shuttle sickle skeleton slope slotted slug snigger spectacle spicy spigot staple suckle suction
sudanese-pound sussex swallow sycamore tart tassel thespian therapist therapy titan titanic titanium title titmouse
titrate trappist trespass trombone troll-bridge twain twatt typhus uranus vagrant-bird vicious-circle volleyball
wankel wasp weed-killer whippet wristwatch yankee mitchell mitch switch switches witch witches stitch stitches ditch
kitchen itch glitch hitch twitch bitcoins aesthetic aesthetics sympathetic synthetic assigned assignment asserting
asserts assessed assessing assessments assets assemblies assembled tucking ducking bucking mucking trucking fussy
idiosyncratic cunard oxymoron billboard nigel nipples lunar quarterback cockatiel weathercock harassment embassies
associates association associated analyses analyze
"""
LOOKALIKES = tuple(word.replace("-", " ") for word in dict.fromkeys(_LOOKALIKES.split()))

LOOKALIKE_FRAMES = (
    "{}",
    "the {} was described in the second chapter",
    "this section explains the term {} with an example",
    "see the entry on {} for further details",
    "a photograph of the {} was taken in the afternoon",
    "researchers measured the {} during the experiment",
)

IDENTITY_FRAMES = (
    f"a {PLACEHOLDER} family moved into the house next door",
    f"the {PLACEHOLDER} community holds a festival each spring",
    f"about half of the students are {PLACEHOLDER}",
    f"my sister is {PLACEHOLDER} and teaches music",
    f"{PLACEHOLDER} people live in every town of this region",
    f"the survey asked {PLACEHOLDER} voters about housing",
    f"the book tells the story of a {PLACEHOLDER} couple and their garden",
    f"as a {PLACEHOLDER} parent i would welcome advice on schools",
    f"the {PLACEHOLDER} author was born near the coast",
    f"we invited {PLACEHOLDER} and {PLACEHOLDER} speakers to the conference",
    f"the museum shows paintings by {PLACEHOLDER} artists of the last century",
    f"rights of {PLACEHOLDER} citizens were extended by the new law",
    f"is he {PLACEHOLDER} ?",
    f"she said that she is {PLACEHOLDER}",
    f"the clinic offers care to {PLACEHOLDER} patients",
    f"{PLACEHOLDER} history month begins next week",
)


def harmless() -> Iterator[str]:
    """Every made sentence, in plain form."""
    for word in LOOKALIKES:
        for frame in LOOKALIKE_FRAMES:
            yield frame.format(word)
    yield from IDENTITY_FRAMES
