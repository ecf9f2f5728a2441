"""De-identification: find what identifies a person, and change the text so that it no longer does.

labels     what is looked for
checks     check digits and ranges of numbers
patterns   validated patterns and cues (data/patterns.toml) → entities
merge      what several finders found → disjoint entities
again      every further occurrence of what was found once
finder     all of it: a document → its entities
policy     what becomes of each label (data/*.toml, or a file of the user)
dates      a date as written → the same form, another day
names      surrogates of people, places and facilities
surrogates surrogates of everything else, and the keyed choices behind all of them
actions    a label's action applied to one mention
rewrite    edits of a text; entities moved along
annotator  `Deidentifier`: documents → documents with another text
vault      originals in an encrypted file
notes      invented notes with every label, for training and tests
"""
