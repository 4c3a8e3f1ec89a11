"""A text as tokens."""


def tokens(text):
    """Its words in capitals."""
    found = []
    for word in text.split(" "):
        found.append(word.upper())
    return {"count": len(found), "tokens": found}
