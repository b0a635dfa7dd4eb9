"""English words that say nothing about a topic: articles, pronouns, prepositions, auxiliaries, and the like."""

VERSION = 1
_WORDS = """
a about above across after afterwards again against all almost alone along already also although always am among
amongst an and another any anyhow anyone anything anyway anywhere are aren't around as at away back be became
because become becomes been before beforehand behind being below beside besides between beyond both but by can can't
cannot could couldn't did didn't do does doesn't doing don't done down due during each either else elsewhere enough
etc even ever every everyone everything everywhere except few first for former from further get gets getting give
given go goes going gone got had hadn't has hasn't have haven't having he he'd he'll he's hence her here hereby
herein hers herself him himself his how however i i'd i'll i'm i've if in indeed instead into is isn't it it's its
itself just keep kept last latter least less let let's like likely ll made make makes many may maybe me mean means
might mine more moreover most mostly much must mustn't my myself namely near neither never nevertheless next no
nobody none nor not nothing now nowhere of off often oh okay on once one ones only onto or other others otherwise
our ours ourselves out over own part per perhaps please put quite rather re really said same say says see seem
seemed seems seen several shall she she'd she'll she's should shouldn't since so some somehow someone something
sometime sometimes somewhere still such take taken than that that's the their theirs them themselves then thence
there there's thereby therefore therein these they they'd they'll they're they've thing things this those though
through throughout thus to together too toward towards two under until up upon us use used uses using usually
various ve very via want was wasn't way ways we we'd we'll we're we've well went were weren't what what's whatever
when whence whenever where where's whereas wherever whether which while who who's whoever whole whom whose why will
with within without won't would wouldn't yet you you'd you'll you're you've your yours yourself yourselves
"""
STOP_WORDS = frozenset(_WORDS.split())
