"""Raw text: words, sentences, windows, normal forms; offsets always into the unchanged string."""
