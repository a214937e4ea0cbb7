"""placeholder"""


def obstacle():
    return None
