"""Texts are cut into pieces."""


def pieces(text, pairs):
    """Letters, joined pair by pair in the order of ``pairs``."""
    cut = list(text)
    for left, right in pairs:
        joined = []
        index = 0
        while index < len(cut):
            if index + 1 < len(cut) and cut[index] == left and cut[index + 1] == right:
                joined.append(left + right)
                index += 2
            else:
                joined.append(cut[index])
                index += 1
        cut = joined
    return cut
